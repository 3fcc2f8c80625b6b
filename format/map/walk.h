// Walks over one or many maps at once, in guest order.
//
// A page or chunk is only ever referred to at one position of the tree (its
// level and first chunk), so many roots can be walked side by side: at each
// position only the distinct refs are looked at, and what the maps share is
// visited once. Memory is one page for each distinct ref on the current path.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "format/map/map_reader.h"

namespace backstitch::format {

// Where a ref stands: it covers chunks [first, first + level_span(level)).
struct Position {
  int level = 0;
  uint64_t first = 0;
};

struct WalkVisitor {
  // A page or chunk, each distinct one once. Pages come after everything below
  // them, so the refs into one file come with ascending offsets. May be empty.
  std::function<void(const Ref&, Position)> visit;
  // Says whether what lies below a page matters; empty means always. A page
  // that is not entered is still visited.
  std::function<bool(const Ref&)> enter;
  // A page that could not be read; the walk goes on beside it. Empty: throw.
  std::function<void(const Ref&, Position, const std::exception&)> damaged;
};

// Visits every non-zero ref that any of `maps` reaches.
void walk(const PageSource& pages, std::span<const MapRoot> maps,
          const WalkVisitor& visitor);

// Calls `differs(first, count)` for the runs of chunks whose content is not the
// same in `a` and `b`, ascending and coalesced. Equal subtrees cost nothing.
// Chunks beyond the end of the smaller map count as zero.
void diff(const PageSource& pages_a, const MapRoot& a,
          const PageSource& pages_b, const MapRoot& b,
          const std::function<void(uint64_t first, uint64_t count)>& differs);

}  // namespace backstitch::format
