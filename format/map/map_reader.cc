#include "format/map/map_reader.h"

#include <algorithm>

#include "format/base/error.h"
#include "format/base/units.h"

namespace backstitch::format {

std::shared_ptr<const Page> MapReader::load(const Ref& ref, int level,
                                            uint64_t first) const {
  try {
    return pages_.page(ref, level);
  } catch (const Error& error) {
    const uint64_t last = std::min(first + level_span(level), map_.chunks);
    throw Error(error.kind(),
                std::string(error.what()) + "; disk range " +
                    format_range(first * kChunkBytes, last * kChunkBytes) +
                    " cannot be read",
                error.system_errno());
  }
}

Ref MapReader::lookup(uint64_t chunk) const {
  if (chunk >= map_.chunks) return {};
  Ref ref = map_.root;
  uint64_t first = 0;
  for (int level = map_.height(); level > 0 && !ref.is_zero(); --level) {
    const uint64_t slot = (chunk - first) / level_span(level - 1);
    ref = (*load(ref, level, first))[slot];
    first += slot * level_span(level - 1);
  }
  return ref;
}

// The first chunk >= `from` in the subtree that begins at `first` and is (is
// not) zero. A zero ref answers for its whole span without a page.
std::optional<uint64_t> MapReader::find(const Ref& ref, int level,
                                        uint64_t first, uint64_t from,
                                        bool want_zero) const {
  const uint64_t begin = std::max(first, from);
  if (begin >= map_.chunks || begin >= first + level_span(level)) return {};
  if (ref.is_zero()) return want_zero ? std::optional(begin) : std::nullopt;
  if (level == 0) return want_zero ? std::nullopt : std::optional(begin);
  const auto page = load(ref, level, first);
  const uint64_t span = level_span(level - 1);
  for (uint64_t slot = (begin - first) / span; slot < kPageRefs; ++slot) {
    const auto found =
        find((*page)[slot], level - 1, first + slot * span, from, want_zero);
    if (found) return found;
  }
  return {};
}

uint64_t MapReader::next_data(uint64_t chunk) const {
  return find(map_.root, map_.height(), 0, chunk, false).value_or(map_.chunks);
}

uint64_t MapReader::next_zero(uint64_t chunk) const {
  return find(map_.root, map_.height(), 0, chunk, true).value_or(map_.chunks);
}

uint64_t MapReader::count(const Ref& ref, int level, uint64_t first,
                          uint64_t begin, uint64_t end) const {
  if (ref.is_zero() || first >= end || first + level_span(level) <= begin)
    return 0;
  if (level == 0) return 1;
  const auto page = load(ref, level, first);
  const uint64_t span = level_span(level - 1);
  uint64_t sum = 0;
  for (uint64_t slot = 0; slot < kPageRefs; ++slot)
    sum += count((*page)[slot], level - 1, first + slot * span, begin, end);
  return sum;
}

uint64_t MapReader::count_data(uint64_t begin, uint64_t end) const {
  return count(map_.root, map_.height(), 0, begin, std::min(end, map_.chunks));
}

}  // namespace backstitch::format
