#include "format/chain/fit_chunk.h"

#include <array>

#include "format/base/error.h"
#include "format/chain/zstd_level.h"

namespace backstitch::format {
namespace {

constexpr size_t kCheckBytes = 8;
constexpr size_t kBlockHeaderBytes = 3;
constexpr size_t kFrameChecksumBytes = 4;

struct EncoderDeleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// Parts of a frame that may be there or not, and how much longer than the first
// form it is with them. One of them is a multiple of an empty block away from
// every length.
struct Variant {
  bool content_size;
  bool checksum;
  int longer_bytes;
};
constexpr std::array<Variant, 4> kVariants = {
    {{true, false, 0}, {false, false, -1}, {false, true, 3}, {true, true, 4}}};
// From what is quick to what is short.
constexpr std::array<int, 5> kLevels = {Compression{}.level, 3, 9, 15, 19};

Bytes compress(ZSTD_CCtx* context, ByteView content, int level,
               Variant variant) {
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  set_level(context, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag,
                         variant.content_size ? 1 : 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag,
                         variant.checksum ? 1 : 0);
  Bytes frame(ZSTD_compressBound(content.size()));
  const size_t length = ZSTD_compress2(context, frame.data(), frame.size(),
                                       content.data(), content.size());
  if (ZSTD_isError(length) != 0)
    throw Error(ErrorKind::kFailed, ZSTD_getErrorName(length));
  frame.resize(length);
  return frame;
}

// Bytes before the first block: magic, descriptor, window, dictionary, size.
size_t header_bytes(const Bytes& frame) {
  const auto descriptor = std::to_integer<unsigned>(frame.at(4));
  const bool single_segment = (descriptor & 0x20U) != 0;
  constexpr std::array<size_t, 4> kIdBytes = {0, 1, 2, 4};
  constexpr std::array<size_t, 4> kSizeBytes = {0, 2, 4, 8};
  const unsigned size_flag = descriptor >> 6U;
  const size_t size_bytes =
      size_flag == 0 && single_segment ? 1 : kSizeBytes[size_flag];
  return 5 + (single_segment ? 0 : 1) + kIdBytes[descriptor & 3U] + size_bytes;
}

unsigned block_header(const Bytes& frame, size_t at) {
  return std::to_integer<unsigned>(frame.at(at)) |
         std::to_integer<unsigned>(frame.at(at + 1)) << 8U |
         std::to_integer<unsigned>(frame.at(at + 2)) << 16U;
}

// Where the header of the last block lies.
size_t last_block(const Bytes& frame) {
  for (size_t at = header_bytes(frame);;) {
    const unsigned header = block_header(frame, at);
    if ((header & 1U) != 0) return at;
    const bool repeated = (header >> 1U & 3U) == 1;  // RLE: one byte follows
    at += kBlockHeaderBytes + (repeated ? 1 : header >> 3U);
  }
}

// Raw blocks of no bytes, the last of which is now the frame's last.
void add_empty_blocks(Bytes& frame, size_t count, bool checksum) {
  if (count == 0) return;
  frame[last_block(frame)] &= std::byte{0xFE};
  const auto end = frame.end() - static_cast<std::ptrdiff_t>(
                                     checksum ? kFrameChecksumBytes : 0);
  Bytes blocks(count * kBlockHeaderBytes);
  blocks[(count - 1) * kBlockHeaderBytes] = std::byte{1};
  frame.insert(end, blocks.begin(), blocks.end());
}

// The frame, filled up to `length`, if it is not longer than that.
std::optional<Bytes> fit_at_level(ZSTD_CCtx* context, ByteView content,
                                  size_t length, int level) {
  const Bytes plain = compress(context, content, level, kVariants[0]);
  for (const Variant variant : kVariants) {
    // Most levels fail here, after one compression.
    const size_t expected =
        plain.size() + static_cast<size_t>(variant.longer_bytes);
    if (expected > length || (length - expected) % kBlockHeaderBytes != 0)
      continue;
    Bytes frame = compress(context, content, level, variant);
    if (frame.size() != expected) continue;
    add_empty_blocks(frame, (length - expected) / kBlockHeaderBytes,
                     variant.checksum);
    return frame;
  }
  return {};
}

}  // namespace

std::optional<Bytes> fit_chunk(const Ref& ref, ByteView content,
                               Compression first) {
  if (content.size() != kChunkBytes || hash_of(content) != ref.hash) return {};
  if (ref.codec == Codec::kStored) return Bytes(content.begin(), content.end());
  if (ref.length <= kCheckBytes) return {};
  const std::unique_ptr<ZSTD_CCtx, EncoderDeleter> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  std::vector<int> levels;
  if (first.enabled) levels.push_back(first.level);
  levels.insert(levels.end(), kLevels.begin(), kLevels.end());
  for (const int level : levels) {
    auto stored =
        fit_at_level(context.get(), content, ref.length - kCheckBytes, level);
    if (!stored) continue;
    std::array<std::byte, kCheckBytes> check{};
    store_le(check.data(), hash64_of(*stored));
    stored->insert(stored->end(), check.begin(), check.end());
    check_stored(ref, *stored);
    return stored;
  }
  return {};
}

}  // namespace backstitch::format
