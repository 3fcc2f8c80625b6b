// A directory that holds the points of many domains.
//
//   Repository ── Domain (a directory) ── Point (a manifest and its files)
//
// All three are cheap, copyable views; nothing is read before it is asked for.
// A repository may also stand for an archive in another format
// (point_source.h), which can be read in the same way but not written.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "format/chain/chain_image.h"
#include "format/repository/manifest.h"
#include "format/repository/point_source.h"

namespace backstitch::format {

// A committed point with its manifest, protected from deletion while any copy
// of it (or an image made from it) lives: it holds a shared lock.
class Point {
 public:
  const Manifest& manifest() const { return *manifest_; }
  uint32_t number() const { return manifest_->point; }
  const std::filesystem::path& path() const { return path_; }
  // The name that its domain has now.
  const std::string& domain() const { return domain_; }
  // A disk as it was at this point. Throws kNotFound.
  std::shared_ptr<const DiskImage> image(
      const std::string& disk, const std::shared_ptr<Caches>& caches) const;
  // The same over a store that several points share.
  std::shared_ptr<const ChainImage> image(
      const std::shared_ptr<const DiskStore>& store) const;
  // A side file, checked against its hash.
  std::string side_file(const std::string& name) const;

 private:
  friend class Domain;
  std::filesystem::path path_;
  std::string domain_;
  std::shared_ptr<const Manifest> manifest_;
  std::shared_ptr<const void> lock_;
  std::shared_ptr<const PointContent> content_;  // null: the format's own
};

class Domain {
 public:
  // `source` is null for the format's own domains.
  Domain(std::filesystem::path path, std::string name,
         std::shared_ptr<const PointSource> source = nullptr)
      : path_(std::move(path)),
        name_(std::move(name)),
        source_(std::move(source)) {}

  const std::string& name() const { return name_; }
  const std::filesystem::path& path() const { return path_; }
  // Null for the format's own domains.
  const PointSource* source() const { return source_.get(); }

  // Numbers of the committed points, ascending. Reads directories only.
  std::vector<uint32_t> points() const;
  // The file whose presence makes the point.
  std::filesystem::path record(uint32_t number) const;
  // The highest of them, 0 if there is none; looks at no other.
  uint32_t latest() const;
  // Highest number ever used by a directory that still exists, 0 if none.
  uint32_t last_number() const;
  // Opens and locks a point. Throws kNotFound when it is not there (any more),
  // kDamaged or kUnsupported when its manifest cannot be used.
  Point open_point(uint32_t number) const;
  // All points, oldest first; a damaged manifest throws.
  std::vector<Point> open_points() const;
  // SELECTOR of POINT: a number, a time or a prefix of one, "latest". For a
  // prefix the latest point that matches. Throws kNotFound.
  uint32_t select(const std::string& selector) const;
  // Manifests of deleted points whose files are still needed by others, or are
  // not yet freed.
  std::vector<Manifest> remains() const;

  std::shared_ptr<const DiskStore> store(
      const std::string& disk, const std::shared_ptr<Caches>& caches) const;

 private:
  bool has_point(uint32_t number) const;

  std::filesystem::path path_;
  std::string name_;
  std::shared_ptr<const PointSource> source_;
};

class Repository {
 public:
  // Makes an empty repository (0700). The directory must be absent or empty.
  static Repository create(const std::filesystem::path& path);
  // Throws kNotFound when there is none, kUnsupported when it is newer.
  static Repository open(const std::filesystem::path& path);
  // Stands for an archive in another format; all domains have a source.
  static Repository of_archive(std::filesystem::path path, std::string id,
                               std::vector<Domain> domains);

  const std::filesystem::path& path() const { return path_; }
  const std::string& id() const { return id_; }  // 32 hexadecimal digits
  bool is_archive() const { return archive_ != nullptr; }
  // Throws kUnsupported for an archive.
  void check_writable() const;

  // Domains that have a directory, by name.
  std::vector<Domain> domains() const;
  // Throws kUsage on a bad name, kNotFound when it has no directory.
  Domain domain(const std::string& name) const;
  // The same, made if it is not there. Throws kUnsupported for an archive.
  Domain create_domain(const std::string& name) const;

  // DOMAIN[@SELECTOR], selector "latest" when it is left out.
  struct PointName {
    Domain domain;
    uint32_t number;
  };
  PointName resolve(const std::string& point) const;

 private:
  Repository(std::filesystem::path path, std::string id)
      : path_(std::move(path)), id_(std::move(id)) {}
  bool has_domain(const std::string& name) const;

  std::filesystem::path path_;
  std::string id_;
  std::shared_ptr<const std::vector<Domain>> archive_;  // null: our own
};

}  // namespace backstitch::format
