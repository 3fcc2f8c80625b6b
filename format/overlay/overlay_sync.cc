// How an overlay becomes durable.
#include <unistd.h>

#include <cerrno>

#include "format/base/error.h"
#include "format/overlay/overlay_image.h"

namespace backstitch::format {

void OverlayImage::sync() {
  if (!is_made_) return;
  const uint64_t wanted =
      changes_.with([](const Changes& changes) { return changes.count; });
  const std::scoped_lock lock(syncing_);
  if (has_failed_) throw failed_before();
  if (!storage_.journal) return;
  uint64_t count = 0;
  const bool is_done = changes_.with([&](Changes& changes) {
    // One that began since the call has covered it.
    if (changes.durable >= wanted) return true;
    count = changes.count;
    changes.map.begin_sync();
    return false;
  });
  if (is_done) return;
  try {
    record_changes();
  } catch (...) {
    changes_.with([](Changes& changes) { changes.map.end_sync(false); });
    throw;
  }
  changes_.with([&](Changes& changes) {
    changes.map.end_sync(true);
    changes.durable = count;
  });
}

// Data first: what the journal names must be there.
void OverlayImage::record_changes() {
  const auto flush = [&](auto&& action) {
    try {
      action();
    } catch (const Error&) {
      has_failed_ = true;
      throw;
    }
  };
  flush([&] {
    if (::fdatasync(storage_.blocks.fd()) != 0) {
      throw system_error(
          errno, "make " + storage_.blocks.path().string() + " durable");
    }
  });
  // A copy: writing goes on between one leaf and the next.
  const std::vector<uint64_t> leaves =
      changes_.with([](const Changes& changes) {
        const auto& syncing = changes.map.syncing_leaves();
        return std::vector<uint64_t>(syncing.begin(), syncing.end());
      });
  if (leaves.empty()) return;
  constexpr size_t kEnough = OverlayJournal::kMostRuns - BlockMap::kLeafBlocks;
  std::vector<BlockRun> runs;
  for (const uint64_t leaf : leaves) {
    changes_.with(
        [&](const Changes& changes) { changes.map.collect(leaf, runs); });
    if (runs.size() < kEnough) continue;
    storage_.journal->append(runs);
    runs.clear();
  }
  storage_.journal->append(runs);
  flush([&] { storage_.journal->sync(); });
}

}  // namespace backstitch::format
