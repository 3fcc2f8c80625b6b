// Backup of the image files of a machine that is off.
//
// The order makes sure that no write between two backups can be missed,
// whatever fails: a new dirty bitmap is added to each image before the first
// byte is read; what changed is read through the bitmap of the point before;
// that one is removed only after the new point is committed. Whatever fails in
// between, the new bitmap goes and the old one has recorded everything. After a
// kill the next run finds the new one without a point and removes it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/repository/point_writer.h"
#include "src/base/progress.h"

namespace backstitch::engine {

struct ImageArgument {
  std::string disk;  // "vda"
  std::filesystem::path path;
  std::string format;  // empty: found out from the content
};

struct ImageBackupRequest {
  std::string name;  // of the machine in the repository
  std::vector<ImageArgument> images;
  std::optional<format::Level> level;  // empty: auto
  format::Compression compression;
  uint64_t bandwidth = 0;  // bytes read a second at most; 0: no limit

  // The images are those of a libvirt domain that is off: its bitmaps are
  // called as libvirt calls them, so that the chain goes on when it runs.
  bool of_domain = false;
  // Adds what else belongs to the point, before it is committed.
  std::function<void(format::PointWriter&)> add_files;
};

// Makes a point and gives its manifest. Throws kUsage on names and lists that
// make no sense, kBusy when an image or the machine's directory is in use,
// kNoBase, kUnsupported, kInterrupted, kFailed; then there is no new point.
// Must be called from a thread that ends after all it started, such as main.
format::Manifest backup_images(const format::Repository& repository,
                               const ImageBackupRequest& request,
                               Progress& progress);

struct DiskEstimate {
  std::string disk;
  uint64_t bytes = 0;
  std::string reason;  // why all of it; empty: what a bitmap says
};
// What backup_images would read, without doing it.
std::vector<DiskEstimate> estimate_images(const format::Repository& repository,
                                          const ImageBackupRequest& request);

}  // namespace backstitch::engine
