// An archive of virtnbdbackup as a repository that is only read.
#pragma once

#include <filesystem>

#include "format/base/synchronized.h"
#include "format/repository/repository.h"
#include "format/sparsestream/archive_chain.h"
#include "format/sparsestream/archive_logs.h"
#include "format/sparsestream/sparsestream_image.h"

namespace backstitch::format {

// In DiskManifest::source: why the disk may hold old bytes where the guest had
// zeroed them. It stays with the disk when a point is imported.
inline constexpr const char* kPossiblyStale = "possibly-stale";
// Why a point's disks may be stale; empty when they are not.
std::string why_stale(const Manifest& manifest);

// Opens what `path` is: a repository, or an archive (a directory that
// virtnbdbackup wrote to, a directory of such directories, a zip file that it
// made). Throws as Repository::open does.
Repository open_repository(const std::filesystem::path& path);

// What an archive held at one time; immutable.
struct ArchiveState {
  ArchiveState(FileStamp now, ArchiveFiles its_files, ArchiveLogs its_logs,
               std::vector<ArchivePointPointer> its_points)
      : stamp(now),
        files(std::move(its_files)),
        logs(std::move(its_logs)),
        points(std::move(its_points)) {}

  FileStamp stamp;  // of the directory or zip file, before it was read
  ArchiveFiles files;
  ArchiveLogs logs;
  std::vector<ArchivePointPointer> points;
};
using ArchiveStatePointer = std::shared_ptr<const ArchiveState>;

// The points of one machine. Looks again when the directory has changed.
class ArchiveSource : public PointSource {
 public:
  ArchiveSource(std::filesystem::path path,
                std::shared_ptr<StreamPool> streams);

  // As the archive calls it; empty when nothing tells.
  std::string domain_name() const;
  // 32 hexadecimal digits that stay the same when files come; empty when there
  // are no points.
  std::string id() const;
  // A file of an unfinished run, when there is nothing else.
  std::string unfinished() const;
  // Set once, before any point is opened.
  void set_names(std::string domain, std::string repository);

  std::vector<uint32_t> points() const override;
  std::shared_ptr<const PointContent> open(uint32_t number) const override;
  std::filesystem::path record(uint32_t number) const override;
  VerifyResult verify(uint32_t number,
                      const VerifyOptions& options) const override;

 private:
  ArchiveStatePointer state() const;

  const std::filesystem::path path_;
  const std::shared_ptr<StreamPool> streams_;
  std::string domain_;
  std::string repository_;
  mutable Synchronized<ArchiveStatePointer> state_;
};

// The manifest and the side files of one point (archive_content.cc).
std::shared_ptr<const PointContent> make_content(
    const ArchiveStatePointer& state, const ArchivePointPointer& point,
    const std::string& domain, const std::string& repository,
    const std::shared_ptr<StreamPool>& streams);

// Checks the files that `points` need, or, with `whole`, all there are
// (archive_verify.cc).
VerifyResult verify_archive(const ArchiveState& state,
                            const std::vector<ArchivePointPointer>& points,
                            bool whole, const VerifyOptions& options);

// The text of the first element of that name in a domain's XML.
std::string element_text(const std::string& xml, const std::string& name);

}  // namespace backstitch::format
