// What a disk image can be restored to.
#pragma once

#include <filesystem>
#include <memory>

#include "format/base/bytes.h"
#include "src/image/qemu_img.h"

namespace backstitch::engine {

// Writes from one thread.
class TargetWriter {
 public:
  virtual ~TargetWriter() = default;
  virtual void write(uint64_t offset, ByteView bytes) = 0;
};

// Reads as zeroes where nothing is written, once finish() has returned.
class ImageTarget {
 public:
  virtual ~ImageTarget() = default;
  // Thread-safe; one a thread. Must be gone before finish().
  virtual std::unique_ptr<TargetWriter> open_writer() = 0;
  // How many of them to let write at the same time: 1 or more, and constant.
  virtual unsigned writes_at_once() const = 0;
  // A range that must read as zeroes and is never written. Thread-safe.
  virtual void skip(uint64_t offset, uint64_t length) = 0;
  // Nothing is complete before this.
  virtual void finish() = 0;
};

// Whether finish() waits until everything is on stable storage.
enum class Durability { kSynced, kLeftToTheKernel };

// An empty file that exists; becomes sparse.
std::unique_ptr<ImageTarget> raw_file_target(const std::filesystem::path& path,
                                             uint64_t size_bytes,
                                             Durability durability);
// Throws kBusy when the device is mounted or otherwise claimed, kUsage when it
// is too small, or not empty and `overwrite` is false. Bytes beyond the image's
// end are left alone.
std::unique_ptr<ImageTarget> block_device_target(
    const std::filesystem::path& path, uint64_t size_bytes, bool overwrite,
    Durability durability);
// A file that exists and is replaced by a new qcow2 image, through a qemu-nbd:
// the calling thread must outlive the target.
std::unique_ptr<ImageTarget> qcow2_target(const std::filesystem::path& path,
                                          uint64_t size_bytes,
                                          Durability durability,
                                          const Qcow2Options& options = {});

}  // namespace backstitch::engine
