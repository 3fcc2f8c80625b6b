// Which domains and points a mount shows.
#pragma once

#include <filesystem>
#include <map>

#include "fuse/tree/point_directory.h"

namespace backstitch::mount {

// Thread-safe.
class Catalog {
 public:
  virtual ~Catalog() = default;

  virtual std::vector<std::string> domains() const = 0;
  // Where the domain lies in the repository. Throws kNotFound when the mount
  // does not show it.
  virtual std::filesystem::path directory(const std::string& domain) const = 0;
  // Ascending.
  virtual std::vector<uint32_t> points(const std::string& domain) const = 0;
  // The highest of points(), 0 when there is none; cheaper than all of them.
  virtual uint32_t latest(const std::string& domain) const = 0;
  // Throws kNotFound. `known` is what the last call gave for that number, or
  // null, and is returned again while it is still true.
  virtual DirectoryPointer point(const std::string& domain, uint32_t number,
                                 const DirectoryPointer& known) const = 0;

  const std::filesystem::path& repository() const { return repository_; }

 protected:
  explicit Catalog(std::filesystem::path repository)
      : repository_(std::move(repository)) {}

 private:
  const std::filesystem::path repository_;
};

// All that the repository holds, as it is now.
class LiveCatalog : public Catalog {
 public:
  LiveCatalog(format::Repository repository, ImageFactory& images);
  std::vector<std::string> domains() const override;
  std::filesystem::path directory(const std::string& domain) const override;
  std::vector<uint32_t> points(const std::string& domain) const override;
  uint32_t latest(const std::string& domain) const override;
  DirectoryPointer point(const std::string& domain, uint32_t number,
                         const DirectoryPointer& known) const override;

 private:
  const format::Repository repository_;
  ImageFactory& images_;
};

// The points that were named, and no others; they are held for as long as the
// catalog lives.
class FixedCatalog : public Catalog {
 public:
  // `points` as DOMAIN[@SELECTOR]; throws when one is not there.
  FixedCatalog(const format::Repository& repository, ImageFactory& images,
               const std::vector<std::string>& points);
  std::vector<std::string> domains() const override;
  std::filesystem::path directory(const std::string& domain) const override;
  std::vector<uint32_t> points(const std::string& domain) const override;
  uint32_t latest(const std::string& domain) const override;
  DirectoryPointer point(const std::string& domain, uint32_t number,
                         const DirectoryPointer& known) const override;

 private:
  struct Kept {
    DirectoryPointer directory;
    HeldPointer held;
  };
  struct Shown {
    std::filesystem::path path;
    std::map<uint32_t, Kept> points;
  };
  const Shown& shown(const std::string& domain) const;

  std::map<std::string, Shown> domains_;  // immutable once constructed
};

// Fixed when points are named, else live.
std::unique_ptr<Catalog> make_catalog(const format::Repository& repository,
                                      ImageFactory& images,
                                      const std::vector<std::string>& points);

}  // namespace backstitch::mount
