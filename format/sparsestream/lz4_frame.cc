#include "format/sparsestream/lz4_frame.h"

#include <lz4.h>
#include <lz4frame.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

constexpr uint64_t kInputBytes = 256 << 10;
constexpr uint64_t kOutputBytes = 1 << 20;
constexpr uint32_t kUncompressed = 0x80000000;

struct FreeContext {
  void operator()(LZ4F_dctx* context) const {
    LZ4F_freeDecompressionContext(context);
  }
};

uint64_t block_bytes(LZ4F_blockSizeID_t id) {
  switch (id) {
    case LZ4F_max256KB:
      return 256 << 10;
    case LZ4F_max1MB:
      return 1 << 20;
    case LZ4F_max4MB:
      return 4 << 20;
    default:
      return 64 << 10;
  }
}

Lz4Header checked_header(const LZ4F_frameInfo_t& info, uint64_t bytes) {
  if (info.contentSize == 0 || info.dictID != 0) {
    throw Error(ErrorKind::kUnsupported,
                info.dictID != 0
                    ? "needs an LZ4 dictionary"
                    : "is an LZ4 frame that does not say how long it is");
  }
  return {.header_bytes = bytes,
          .block_bytes = block_bytes(info.blockSizeID),
          .content_size = info.contentSize,
          .linked = info.blockMode == LZ4F_blockLinked,
          .block_checksums = info.blockChecksumFlag != 0,
          .content_checksum = info.contentChecksumFlag != 0};
}

}  // namespace

Lz4Header read_lz4_header(const StoredFile& file, uint64_t at,
                          uint64_t stored) {
  std::array<std::byte, LZ4F_HEADER_SIZE_MAX> bytes{};
  const auto part =
      std::span(bytes).first(std::min<uint64_t>(bytes.size(), stored));
  file.read_at(at, part);
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0)
    throw Error(ErrorKind::kFailed, "no memory for LZ4");
  const std::unique_ptr<LZ4F_dctx, FreeContext> context(made);
  LZ4F_frameInfo_t info{};
  size_t used = part.size();
  const size_t code =
      LZ4F_getFrameInfo(context.get(), &info, part.data(), &used);
  if (LZ4F_isError(code) != 0 || info.frameType != LZ4F_frame) {
    throw Error(ErrorKind::kDamaged,
                "is no LZ4 frame (at offset " + std::to_string(at) + ")");
  }
  return checked_header(info, used);
}

Lz4Decoder::Lz4Decoder(const StoredFile& file, uint64_t at, uint64_t stored,
                       uint64_t length)
    : file_(file),
      at_(at),
      stored_(stored),
      length_(length),
      header_(read_lz4_header(file, at, stored)),
      next_(header_.header_bytes),
      output_(kLz4WindowBytes + std::max(kOutputBytes, header_.block_bytes)) {
  if (header_.content_size != length)
    damaged("holds another number of bytes than the stream says");
}

void Lz4Decoder::damaged(const std::string& what) const {
  throw Error(ErrorKind::kDamaged,
              file_.name() + ": the LZ4 frame at offset " +
                  std::to_string(at_) + " is damaged at offset " +
                  std::to_string(at_ + next_) + ": " + what);
}

void Lz4Decoder::seek(const Lz4Position& position) {
  next_ = position.stored;
  content_ = position.content;
  used_ = position.window.size();
  std::ranges::copy(position.window, output_.begin());
}

Lz4Position Lz4Decoder::position_at(uint64_t stored, uint64_t content,
                                    uint64_t used) const {
  const uint64_t window = std::min(used, kLz4WindowBytes);
  const auto end = output_.begin() + static_cast<std::ptrdiff_t>(used);
  return {stored, content,
          Bytes(end - static_cast<std::ptrdiff_t>(window), end)};
}

// Bytes of the frame from next_ on; next_ stays.
ByteView Lz4Decoder::take(uint64_t length) {
  if (length > stored_ - std::min(stored_, next_)) damaged("it ends too early");
  if (next_ < input_at_ || next_ + length > input_at_ + input_.size()) {
    input_.resize(std::min(std::max(length, kInputBytes), stored_ - next_));
    file_.read_at(at_ + next_, input_);
    input_at_ = next_;
  }
  return ByteView(input_).subspan(next_ - input_at_, length);
}

void Lz4Decoder::make_room() {
  if (output_.size() - used_ >= header_.block_bytes) return;
  const uint64_t window = std::min(used_, kLz4WindowBytes);
  std::memmove(output_.data(), output_.data() + used_ - window, window);
  used_ = window;
}

ByteView Lz4Decoder::next() {
  const auto word = load_le<uint32_t>(take(sizeof(uint32_t)).data());
  const uint64_t size = word & ~kUncompressed;
  if (size == 0) damaged("it ends too early");
  if (size > header_.block_bytes) damaged("a block is too large");
  const uint64_t sum_bytes = header_.block_checksums ? sizeof(uint32_t) : 0;
  const ByteView stored =
      take(sizeof(uint32_t) + size + sum_bytes).subspan(sizeof(uint32_t));
  if (sum_bytes != 0 &&
      XXH32(stored.data(), size, 0) != load_le<uint32_t>(&stored[size])) {
    damaged("the checksum of a block differs");
  }
  make_room();
  std::byte* const out = output_.data() + used_;
  uint64_t made = size;
  if ((word & kUncompressed) != 0) {
    std::memcpy(out, stored.data(), size);
  } else {
    const uint64_t window =
        header_.linked ? std::min(used_, kLz4WindowBytes) : 0;
    const int result = LZ4_decompress_safe_usingDict(
        reinterpret_cast<const char*>(stored.data()),
        reinterpret_cast<char*>(out), static_cast<int>(size),
        static_cast<int>(header_.block_bytes),
        reinterpret_cast<const char*>(out - window), static_cast<int>(window));
    if (result <= 0) damaged("a block cannot be decoded");
    made = static_cast<uint64_t>(result);
  }
  if (made > length_ - content_) damaged("it holds too much");
  last_ = {next_, content_, used_};
  next_ += sizeof(uint32_t) + size + sum_bytes;
  used_ += made;
  content_ += made;
  return {out, made};
}

void Lz4Decoder::finish(uint32_t checksum) {
  if (load_le<uint32_t>(take(sizeof(uint32_t)).data()) != 0)
    damaged("it goes on behind its content");
  next_ += sizeof(uint32_t);
  if (header_.content_checksum) {
    if (load_le<uint32_t>(take(sizeof(uint32_t)).data()) != checksum)
      damaged("the checksum of its content differs");
    next_ += sizeof(uint32_t);
  }
  if (next_ != stored_) damaged("it ends too early");
}

}  // namespace backstitch::format
