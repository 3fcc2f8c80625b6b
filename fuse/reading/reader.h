// Reads of open files: the plain ones, and reading ahead for those that bypass
// the kernel's page cache.
#pragma once

#include "fuse/reading/sequence.h"
#include "fuse/reading/worker_pool.h"
#include "fuse/tree/node.h"

namespace backstitch::mount {

// A file that the kernel has open.
class OpenFile {
 public:
  OpenFile(OpenedImage opened, bool bypasses_cache);
  // The number by which the kernel names it, and back.
  uint64_t handle() const { return reinterpret_cast<uint64_t>(this); }
  static OpenFile& of_handle(uint64_t handle) {
    return *reinterpret_cast<OpenFile*>(handle);
  }

  const format::DiskImage& image() const { return *opened_.image; }
  bool is_writable() const { return opened_.writable != nullptr; }
  // The disk that the file is, or a part of; it begins there at the offset.
  format::WritableImage& writable() const { return *opened_.writable; }
  uint64_t offset_in_disk() const { return opened_.offset; }
  // Whether pages that the kernel has from before are what the file holds now.
  // A disk and its partitions are other files over the same bytes.
  bool cache_is_good() const {
    return !is_writable() || !opened_.writable->was_written();
  }

 private:
  friend class Reader;
  const OpenedImage opened_;
  const bool read_ahead_;
  SequenceTracker sequence_;
};

// Thread-safe.
class Reader {
 public:
  Reader();
  // Fills `out`, which must lie inside the file, or throws.
  void read(OpenFile& file, uint64_t offset, std::span<std::byte> out);

 private:
  void fetch(const OpenFile& file, Stretch stretch);

  WorkerPool pool_;
};

}  // namespace backstitch::mount
