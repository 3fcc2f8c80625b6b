#include "format/overlay/overlay_image.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "format/base/error.h"
#include "format/base/units.h"

namespace backstitch::format {
namespace {

constexpr uint64_t floor_block(uint64_t offset) {
  return offset / kBlockBytes * kBlockBytes;
}

constexpr uint64_t count_blocks(uint64_t length) {
  return (length + kBlockBytes - 1) / kBlockBytes;
}

}  // namespace

OverlayImage::OverlayImage(std::shared_ptr<const DiskImage> base,
                           OverlayStorage storage)
    : base_(std::move(base)), is_made_(true), storage_(std::move(storage)) {
  changes_.with(
      [&](Changes& changes) { changes.map = std::move(storage_.map); });
}

OverlayImage::OverlayImage(std::shared_ptr<const DiskImage> base,
                           MakeStorage make)
    : base_(std::move(base)), make_(std::move(make)) {}

void OverlayImage::check_range(uint64_t offset, uint64_t length) const {
  if (offset > size() || length > size() - offset) {
    throw Error(ErrorKind::kUsage,
                "bytes beyond the end of a disk of " + std::to_string(size()));
  }
}

OverlayStorage& OverlayImage::storage() {
  if (has_failed_) throw failed_before();
  if (!is_made_) {
    const std::scoped_lock lock(making_);
    if (!is_made_) {
      storage_ = make_();
      is_made_ = true;
    }
  }
  return storage_;
}

Error OverlayImage::failed_before() const {
  return Error(ErrorKind::kFailed,
               storage_.blocks.path().string() +
                   ": takes no more writes, since a sync of it has failed",
               EIO);
}

// --- reading ---

OverlayImage::Extent OverlayImage::extent_at(uint64_t offset) const {
  if (!is_made_) return {size(), BlockState::kBase};
  const BlockRun run = changes_.with([&](const Changes& changes) {
    return changes.map.run_at(offset / kBlockBytes, count_blocks(size()));
  });
  return {std::min(run.end() * kBlockBytes, size()), run.state};
}

void OverlayImage::read_at(uint64_t offset, std::span<std::byte> out) const {
  check_range(offset, out.size());
  while (!out.empty()) {
    const Extent extent = extent_at(offset);
    const auto part =
        out.first(std::min<uint64_t>(out.size(), extent.end - offset));
    switch (extent.state) {
      case BlockState::kBase:
        base_->read_at(offset, part);
        break;
      case BlockState::kData:
        storage_.blocks.read_at(offset, part);
        break;
      case BlockState::kZero:
        std::ranges::fill(part, std::byte{0});
        break;
    }
    offset += part.size();
    out = out.subspan(part.size());
  }
}

uint64_t OverlayImage::next_data(uint64_t offset) const {
  while (offset < size()) {
    const Extent extent = extent_at(offset);
    if (extent.state == BlockState::kData) return offset;
    if (extent.state == BlockState::kBase) {
      const uint64_t data = base_->next_data(offset);
      if (data < extent.end) return data;
    }
    offset = extent.end;
  }
  return size();
}

uint64_t OverlayImage::next_hole(uint64_t offset) const {
  while (offset < size()) {
    const Extent extent = extent_at(offset);
    if (extent.state == BlockState::kZero) return offset;
    if (extent.state == BlockState::kBase) {
      const uint64_t hole = base_->next_hole(offset);
      if (hole < extent.end) return hole;
    }
    offset = extent.end;
  }
  return size();
}

uint64_t OverlayImage::data_bytes() const {
  return std::min(size(), base_->data_bytes() + written_bytes());
}

uint64_t OverlayImage::written_bytes() const {
  return changes_.with([](const Changes& changes) {
    return changes.map.data_blocks() * kBlockBytes;
  });
}

timespec OverlayImage::changed_at() const {
  struct stat status {};
  if (::fstat(storage_.blocks.fd(), &status) != 0)
    throw system_error(errno, "examine " + storage_.blocks.path().string());
  return status.st_mtim;
}

// --- changing ---

void OverlayImage::write_at(uint64_t offset, ByteView bytes) {
  check_range(offset, bytes.size());
  if (bytes.empty()) return;
  storage();
  const uint64_t end = offset + bytes.size();
  const RangeLock::Held held(ranges_, floor_block(offset),
                             count_blocks(end) * kBlockBytes);
  while (!bytes.empty()) {
    // Whole blocks at once, the ragged ends one by one. The disk's own end is
    // none: its last block is whole when it reaches there.
    const uint64_t in_block = offset % kBlockBytes;
    const uint64_t whole_end = end == size() ? end : floor_block(end);
    uint64_t length = std::min<uint64_t>(bytes.size(), kBlockBytes - in_block);
    if (in_block == 0 && whole_end > offset) {
      length = whole_end - offset;
      put(offset, bytes.first(length));
    } else {
      write_partial(offset, bytes.first(length));
    }
    offset += length;
    bytes = bytes.subspan(length);
  }
}

void OverlayImage::put(uint64_t offset, ByteView bytes) {
  storage_.blocks.write_at(offset, bytes);
  note(offset, bytes.size(), BlockState::kData);
}

void OverlayImage::write_partial(uint64_t offset, ByteView bytes) {
  if (extent_at(offset).state == BlockState::kData) return put(offset, bytes);
  const uint64_t begin = floor_block(offset);
  std::array<std::byte, kBlockBytes> buffer;
  const auto block =
      std::span(buffer).first(std::min(kBlockBytes, size() - begin));
  read_at(begin, block);
  std::ranges::copy(bytes, block.begin() + static_cast<long>(offset - begin));
  put(begin, block);
}

uint64_t OverlayImage::note(uint64_t offset, uint64_t length,
                            BlockState state) {
  return changes_.with([&](Changes& changes) {
    ++changes.count;
    const uint64_t first = offset / kBlockBytes;
    return changes.map.set(first, count_blocks(offset + length) - first, state);
  });
}

void OverlayImage::zero(uint64_t offset, uint64_t length) {
  check_range(offset, length);
  if (length == 0) return;
  storage();
  const uint64_t end = offset + length;
  const RangeLock::Held held(ranges_, floor_block(offset),
                             count_blocks(end) * kBlockBytes);
  static constexpr std::array<std::byte, kBlockBytes> kZeroes{};
  const uint64_t whole_begin =
      std::min(end, count_blocks(offset) * kBlockBytes);
  const uint64_t whole_end =
      std::max(whole_begin, end == size() ? end : floor_block(end));
  if (whole_begin > offset)
    write_partial(offset, ByteView(kZeroes).first(whole_begin - offset));
  if (whole_end > whole_begin)
    zero_blocks(whole_begin, whole_end - whole_begin);
  if (end > whole_end)
    write_partial(whole_end, ByteView(kZeroes).first(end - whole_end));
}

void OverlayImage::zero_blocks(uint64_t offset, uint64_t length) {
  if (note(offset, length, BlockState::kZero) == 0) return;
  // Only gives space back; a file system that cannot is none the worse for it.
  ::fallocate(storage_.blocks.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(offset), static_cast<off_t>(length));
}

void OverlayImage::allocate(uint64_t offset, uint64_t length) {
  check_range(offset, length);
  if (length == 0) return;
  const File& blocks = storage().blocks;
  if (::fallocate(blocks.fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(length)) == 0)
    return;
  const int code = errno;
  const Error error =
      system_error(code, "set " + format_bytes(length) + " aside in " +
                             blocks.path().string());
  if (code == EOPNOTSUPP)
    throw Error(ErrorKind::kUnsupported, error.what(), code);
  throw error;
}

}  // namespace backstitch::format
