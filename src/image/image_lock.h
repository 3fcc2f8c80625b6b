// Keeps machines from starting on an image while it is read.
//
// QEMU's image locking (its source, block/file-posix.c): byte 100+N of the file
// is locked by who uses permission N, byte 200+N by who does not share it; N is
// 1 for writing and 3 for resizing. qemu-nbd -r refuses writers only for qcow2,
// and only while it runs: this lock covers every format, and all images of a
// point from the first byte that is read to the last.
#pragma once

#include <sys/stat.h>

#include "format/base/file.h"

namespace backstitch::engine {

// Move-only. Several may be held on one image (by readers).
class ImageLock {
 public:
  // Throws kBusy, with the owner where it can be known, when somebody may be
  // writing to the image.
  explicit ImageLock(const std::filesystem::path& image);

  // Throws kBusy when the image was written to since: by someone who does not
  // keep to QEMU's locks.
  void check_unchanged() const;

 private:
  File file_;
  struct stat before_ {};
};

// Throws kBusy, naming the owner, when a machine is writing to the image now.
void refuse_if_in_use(const std::filesystem::path& image);

// "qemu-system-x86_64 (process 123, guest vm1)" for each other process that has
// the file open for writing; empty when none is seen.
std::string image_users(const std::filesystem::path& image);

}  // namespace backstitch::engine
