#include "fuse/reading/sequence.h"

#include <algorithm>

namespace backstitch::mount {
namespace {

// How far a request may lie off the expected place: requests in flight together
// overtake each other.
constexpr uint64_t kSlackBytes = 1 << 20;
// Two neighbouring reads are chance; this much in a row is a reader.
constexpr uint64_t kMinRunBytes = 128 << 10;
constexpr unsigned kMinReads = 2;

bool is_near(uint64_t offset, uint64_t expected) {
  return offset + kSlackBytes >= expected && offset <= expected + kSlackBytes;
}

}  // namespace

std::optional<Stretch> SequenceTracker::observe(uint64_t offset,
                                                uint64_t length) {
  return state_.with([&](State& state) -> std::optional<Stretch> {
    const uint64_t end = offset + length;
    // At the file's start nothing is expected yet: only 0 itself goes on.
    const bool goes_on = state.run_bytes == 0 ? offset == state.next
                                              : is_near(offset, state.next);
    if (!goes_on) {
      state = State{end, length, end};
      return std::nullopt;
    }
    state.run_bytes += length;
    state.next = std::max(state.next, end);
    if (state.run_bytes < std::max(kMinRunBytes, kMinReads * length))
      return std::nullopt;
    const uint64_t window = std::min(kWindowBytes, state.run_bytes);
    const uint64_t begin = std::max(state.next, state.asked_end);
    const uint64_t wanted = state.next + window;
    // In steps of half a window, not of one small request each.
    if (begin + window / 2 > wanted) return std::nullopt;
    state.asked_end = wanted;
    return Stretch{begin, wanted - begin};
  });
}

}  // namespace backstitch::mount
