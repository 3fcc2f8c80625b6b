// Chunks as they are stored: plain, or as one zstd frame and the frame's
// XXH3-64 (8 bytes, little-endian). Specified in man/backstitch-format.5,
// CHUNKS.
#pragma once

#include <memory>
#include <string>

#include "format/map/ref.h"

namespace backstitch::format {

// What a new point does with its chunks.
struct Compression {
  bool enabled = true;
  // zstd's levels. On 64 KiB chunks of programs and text, -1 as this project
  // sets it up (zstd_level.h) compresses at 700 MB/s a core and decodes at
  // 2440; zstd's own -1 at 540 and 2000, for 8 % less space.
  int level = -1;

  // "none", "zstd", "zstd:N"; throws kUsage on anything else.
  static Compression parse(const std::string& text);
  // The same for --help, with the default.
  static std::string methods();
  std::string to_string() const;
};

// Compresses chunks; one for each thread.
class ChunkEncoder {
 public:
  explicit ChunkEncoder(Compression compression);
  ChunkEncoder(ChunkEncoder&&) noexcept;
  ~ChunkEncoder();

  struct Result {
    Codec codec;
    ByteView bytes;  // in `chunk` or in the encoder, until the next call
  };
  // `chunk` has kChunkBytes. What shrinks by less than 1/16 stays as it is.
  Result encode(ByteView chunk);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Decodes `stored` into the kChunkBytes of `out`. Throws kDamaged when the
// frame is broken or does not fill the chunk exactly. Thread-safe.
void decode_chunk(Codec codec, ByteView stored, std::span<std::byte> out);

// Throws kDamaged unless `stored` is what `ref`, of a page or a chunk, names.
// Thread-safe.
void check_stored(const Ref& ref, ByteView stored);

// "1.5.4": what runs, for the manifest.
std::string zstd_version();

}  // namespace backstitch::format
