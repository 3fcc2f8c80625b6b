// Where the bytes of a disk lie in a stream.
#pragma once

#include <vector>

#include "format/sparsestream/frame.h"
#include "format/sparsestream/stored_file.h"

namespace backstitch::format {

// A range of the disk that the stream speaks of: zeroes, bytes as they are, or
// (in a compressed stream) one LZ4 frame.
struct StreamPiece {
  uint64_t begin = 0;  // in the disk
  uint64_t length = 0;
  uint64_t stored_at = 0;      // in the stream; 0: zeroes
  uint64_t stored_length = 0;  // 0 for zeroes
  friend bool operator==(const StreamPiece&, const StreamPiece&) = default;
};

struct StreamIndex {
  StreamMeta meta;
  // Ascending, not overlapping, inside the disk.
  std::vector<StreamPiece> pieces;
};

// The first frame alone: enough to know what a stream is. Throws kDamaged.
StreamMeta read_meta(const StoredFile& file);
// That the stream has its end: the cheap test for one that was cut off.
void check_complete(const StoredFile& file, const StreamMeta& meta);
// Walks over all frames and checks them: order, bounds, sums, the end. Reads
// headers and what is between the frames, not the data. Failures are kDamaged
// and name the file, the frame and its offset.
StreamIndex scan_stream(const StoredFile& file);

}  // namespace backstitch::format
