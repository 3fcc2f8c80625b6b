// An LZ4 frame that is decoded from any of its blocks on.
//
// The blocks of a frame lean on each other: to decode one, the 64 KiB of
// content before it (its window) must be at hand. With a window that was kept,
// decoding can begin there. Frame format: lz4's doc/lz4_Frame_format.md.
#pragma once

#include <cstdint>
#include <memory>

#include "format/sparsestream/stored_file.h"

namespace backstitch::format {

inline constexpr uint64_t kLz4WindowBytes = 64 << 10;

struct Lz4Header {
  uint64_t header_bytes = 0;
  uint64_t block_bytes = 0;  // of content in a block, at most
  uint64_t content_size = 0;
  bool linked = true;
  bool block_checksums = false;
  bool content_checksum = false;
};

// The frame is the `stored` bytes at `at`. Throws kDamaged; kUnsupported when
// it does not say how long its content is, or needs a dictionary.
Lz4Header read_lz4_header(const StoredFile& file, uint64_t at, uint64_t stored);

// Before a block.
struct Lz4Position {
  uint64_t stored = 0;   // offset of the block in the frame
  uint64_t content = 0;  // of the frame that lies before it
  Bytes window;          // the last kLz4WindowBytes of that, or all
};

// Goes over the blocks of one frame. Belongs to one thread. All failures are
// kDamaged and say where in the file.
class Lz4Decoder {
 public:
  // `length` bytes of content are expected.
  Lz4Decoder(const StoredFile& file, uint64_t at, uint64_t stored,
             uint64_t length);

  // Goes on from there instead of from the first block.
  void seek(const Lz4Position& position);
  // Content that was decoded so far.
  uint64_t content() const { return content_; }
  // Before the next block, and before the one that was decoded last.
  Lz4Position position() const { return position_at(next_, content_, used_); }
  Lz4Position position_before() const {
    return position_at(last_.stored, last_.content, last_.used);
  }
  // The next block; its checksum, where there is one, was compared. The bytes
  // are good until the next call. Must not be called at the end.
  ByteView next();
  // At the end, having come all the way from the beginning: what a frame ends
  // with is there and right, and the content's checksum too. `checksum` is the
  // XXH32 of all of it.
  void finish(uint32_t checksum);
  bool has_checksum() const { return header_.content_checksum; }

 private:
  [[noreturn]] void damaged(const std::string& what) const;
  ByteView take(uint64_t length);
  void make_room();
  Lz4Position position_at(uint64_t stored, uint64_t content,
                          uint64_t used) const;

  const StoredFile& file_;
  const uint64_t at_;
  const uint64_t stored_;
  const uint64_t length_;
  const Lz4Header header_;
  Bytes input_;  // bytes of the frame from input_at_ on
  uint64_t input_at_ = 0;
  uint64_t next_ = 0;  // offset in the frame of the next block
  Bytes output_;       // window and content, up to used_
  uint64_t used_ = 0;
  uint64_t content_ = 0;
  struct Last {
    uint64_t stored = 0;
    uint64_t content = 0;
    uint64_t used = 0;
  };
  Last last_;  // before the block that was decoded last
};

}  // namespace backstitch::format
