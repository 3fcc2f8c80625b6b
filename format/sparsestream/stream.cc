#include "format/sparsestream/stream.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

constexpr uint64_t kSegmentCacheBytes = 64 << 20;

uint64_t next_number() {
  static std::atomic<uint64_t> count = 0;
  return ++count;
}

struct FreeState {
  void operator()(XXH32_state_t* state) const { XXH32_freeState(state); }
};

// The holes of a raw image are those of the file.
std::vector<StreamPiece> pieces_of_raw(const StoredPlace& place) {
  const File file = File::open(place.path, O_RDONLY);
  std::vector<StreamPiece> pieces;
  for (uint64_t at = 0; at < place.length;) {
    const auto seek = [&](uint64_t from, int whence) {
      const off_t found =
          ::lseek(file.fd(), static_cast<off_t>(place.offset + from), whence);
      if (found < 0) return place.length;
      return std::min(static_cast<uint64_t>(found) - place.offset,
                      place.length);
    };
    const uint64_t data = seek(at, SEEK_DATA);
    if (data > at) pieces.push_back({at, data - at, 0, 0});
    if (data == place.length) break;
    at = std::max(seek(data, SEEK_HOLE), data + 1);
    pieces.push_back({data, at - data, data, at - data});
  }
  return pieces;
}

std::vector<StreamPiece> pieces_of(const StoredFile& file) {
  if (auto kept = load_pieces(file.place())) return std::move(*kept);
  std::vector<StreamPiece> pieces = scan_stream(file).pieces;
  save_pieces(file.place(), pieces);
  return pieces;
}

uint64_t segments_of(const StreamPiece& piece) {
  return piece.stored_length == 0
             ? 0
             : (piece.length + kSegmentBytes - 1) / kSegmentBytes;
}

}  // namespace

Stream::Stream(const StoredPlace& place, bool is_raw,
               std::shared_ptr<SegmentCache> segments)
    : file_(place), segments_(std::move(segments)), number_(next_number()) {
  if (is_raw) {
    pieces_ = pieces_of_raw(place);
    return;
  }
  compressed_ = read_meta(file_).compressed;
  pieces_ = pieces_of(file_);
  if (!compressed_) return;
  windows_.emplace(place);
  uint64_t count = 0;
  first_segment_.reserve(pieces_.size());
  for (const StreamPiece& piece : pieces_) {
    first_segment_.push_back(count);
    count += segments_of(piece);
  }
}

size_t Stream::find(uint64_t offset) const {
  const auto found = std::ranges::upper_bound(
      pieces_, offset, {},
      [](const StreamPiece& piece) { return piece.begin + piece.length; });
  return static_cast<size_t>(found - pieces_.begin());
}

void Stream::read(size_t piece, uint64_t offset,
                  std::span<std::byte> out) const {
  const StreamPiece& where = pieces_[piece];
  if (where.stored_length == 0) {
    std::ranges::fill(out, std::byte{0});
    return;
  }
  if (!compressed_) {
    file_.read_at(where.stored_at + offset, out);
    return;
  }
  while (!out.empty()) {
    const uint64_t begin = offset % kSegmentBytes;
    const auto bytes = segment(piece, offset / kSegmentBytes);
    const uint64_t length =
        std::min<uint64_t>(out.size(), bytes->size() - begin);
    std::memcpy(out.data(), bytes->data() + begin, length);
    out = out.subspan(length);
    offset += length;
  }
}

std::shared_ptr<const Bytes> Stream::segment(size_t piece,
                                             uint64_t number) const {
  return segments_->get(
      {number_, first_segment_[piece] + number}, kSegmentBytes,
      [&] { return std::make_shared<const Bytes>(decode(piece, number)); });
}

// From the nearest window that is kept at or before the segment, keeping those
// that come by: the window of a segment is that of the block it begins in.
Bytes Stream::decode(size_t piece, uint64_t number) const {
  const StreamPiece& where = pieces_[piece];
  const uint64_t first_slot = first_segment_[piece];
  Lz4Decoder decoder(file_, where.stored_at, where.stored_length, where.length);
  uint64_t known = number;
  for (; known > 0; --known) {
    const auto position = windows_->load(first_slot + known);
    if (!position || position->content > known * kSegmentBytes) continue;
    decoder.seek(*position);
    break;
  }
  const uint64_t begin = number * kSegmentBytes;
  const uint64_t end = std::min(begin + kSegmentBytes, where.length);
  Bytes segment(end - begin);
  uint64_t next_slot = known + 1;
  while (decoder.content() < end) {
    const uint64_t at = decoder.content();
    const ByteView block = decoder.next();
    const uint64_t block_end = at + block.size();
    for (; next_slot * kSegmentBytes < block_end; ++next_slot)
      windows_->save(first_slot + next_slot, decoder.position_before());
    if (block_end == next_slot * kSegmentBytes && block_end < where.length)
      windows_->save(first_slot + next_slot++, decoder.position());
    if (block_end <= begin) continue;
    const uint64_t from = std::max(at, begin);
    const uint64_t to = std::min(block_end, end);
    std::memcpy(segment.data() + (from - begin), block.data() + (from - at),
                to - from);
  }
  return segment;
}

void Stream::check_piece(const StreamPiece& piece) const {
  Lz4Decoder decoder(file_, piece.stored_at, piece.stored_length, piece.length);
  const std::unique_ptr<XXH32_state_t, FreeState> sum(XXH32_createState());
  XXH32_reset(sum.get(), 0);
  while (decoder.content() < piece.length) {
    const ByteView block = decoder.next();
    if (decoder.has_checksum())
      XXH32_update(sum.get(), block.data(), block.size());
  }
  decoder.finish(XXH32_digest(sum.get()));
}

void Stream::check(const std::function<void(uint64_t)>& take,
                   const Damaged& damaged) const {
  for (const StreamPiece& piece : pieces_) {
    try {
      if (compressed_ && piece.stored_length != 0) check_piece(piece);
    } catch (const Error& error) {
      damaged(piece, error);
    }
    take(piece.stored_length);
  }
}

StreamPool::StreamPool()
    : segments_(std::make_shared<SegmentCache>(kSegmentCacheBytes)) {}

std::shared_ptr<const Stream> StreamPool::open(const StoredPlace& place,
                                               bool is_raw) {
  // One that is scanned for the first time must not hold up the others.
  const std::string key = place.path.string() + "\n" + place.name;
  const auto known = open_.with([&](auto& open) { return open[key].lock(); });
  if (known && known->place().stamp == place.stamp) return known;
  auto stream = std::make_shared<const Stream>(place, is_raw, segments_);
  open_.with([&](auto& open) { open[key] = stream; });
  return stream;
}

}  // namespace backstitch::format
