// A disk that can be written.
#pragma once

#include "format/base/bytes.h"
#include "format/disk_image.h"

namespace backstitch::format {

// Safe to share between threads. What was changed is read at once by everybody;
// it is durable only after sync(). Of changes that overlap and run at the same
// time, either may win, in each 4 KiB block.
//
// All throw kUsage when the range is not inside the disk, and kFailed with the
// errno of the storage (ENOSPC, EIO); then each block is as before or as asked.
class WritableImage : public DiskImage {
 public:
  virtual void write_at(uint64_t offset, ByteView bytes) = 0;
  // Makes a range read as zeroes, and gives its storage back where it can.
  virtual void zero(uint64_t offset, uint64_t length) = 0;
  // Sets storage aside, so that writing there will not fail for want of space.
  // Throws kUnsupported where the file system cannot do that.
  virtual void allocate(uint64_t offset, uint64_t length) = 0;
  // Whether anything was ever changed.
  virtual bool was_written() const = 0;
  // Returns when all that was changed before the call is durable.
  virtual void sync() = 0;
};

}  // namespace backstitch::format
