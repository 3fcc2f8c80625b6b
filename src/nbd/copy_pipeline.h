// Copies a disk from a block source into a point.
#pragma once

#include <cstdint>

#include "format/repository/point_writer.h"
#include "src/base/progress.h"
#include "src/nbd/block_source.h"

namespace backstitch::engine {

struct CopyOptions {
  unsigned sifters = 0;  // threads that hash and compress; 0: one a core
  unsigned depth = 2;    // requests under way for each reader
  unsigned buffers = 0;  // of 2 MiB, for what is in flight; 0: by the cores
  uint64_t bytes_per_second = 0;  // read at most; 0: no limit
};

struct CopyResult {
  uint64_t read_bytes = 0;  // asked of the source
};

// Reads what the source says has changed and gives it to `disk` in order; what
// is clean is left as in the base. Reports the disk's bytes to `progress`
// (advance only). Memory is bounded whatever the disk's size or fragmentation.
// The first failure stops all threads and is thrown; so is kInterrupted.
CopyResult copy_disk(BlockSource& source, format::DiskWriter& disk,
                     Progress& progress, const CopyOptions& options = {});

}  // namespace backstitch::engine
