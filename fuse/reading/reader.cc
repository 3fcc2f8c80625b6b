#include "fuse/reading/reader.h"

#include <algorithm>

#include "fuse/image/shortcuts.h"

namespace backstitch::mount {
namespace {

// What one thread fetches at a time: a few chunks, so that several share the
// work of one stretch.
constexpr uint64_t kTaskBytes = 256 << 10;
// Memory and work that readers who go away leave behind stay small.
constexpr size_t kMaxWaiting = 64;

unsigned thread_count() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
}

}  // namespace

OpenFile::OpenFile(OpenedImage opened, bool bypasses_cache)
    : opened_(std::move(opened)),
      read_ahead_(bypasses_cache && can_prefetch(*opened_.image)) {}

Reader::Reader() : pool_(thread_count(), kMaxWaiting) {}

void Reader::read(OpenFile& file, uint64_t offset, std::span<std::byte> out) {
  if (file.read_ahead_) {
    if (const auto ahead = file.sequence_.observe(offset, out.size()))
      fetch(file, *ahead);
  }
  file.image().read_at(offset, out);
}

void Reader::fetch(const OpenFile& file, Stretch stretch) {
  const uint64_t end =
      std::min(stretch.offset + stretch.length, file.image().size());
  for (uint64_t at = stretch.offset; at < end;) {
    // Tasks end on their own multiples, so that no chunk belongs to two.
    const uint64_t next = std::min(end, (at / kTaskBytes + 1) * kTaskBytes);
    const auto task = [image = file.opened_.image, at, next] {
      prefetch(*image, at, next - at);
    };
    if (!pool_.try_post(task)) return;
    at = next;
  }
}

}  // namespace backstitch::mount
