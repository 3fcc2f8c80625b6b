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
  const format::DiskImage& image() const { return *opened_.image; }

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
