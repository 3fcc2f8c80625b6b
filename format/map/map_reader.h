// Reads a disk's map: from chunk number to ref.
#pragma once

#include <cstdint>
#include <optional>

#include "format/map/page_source.h"

namespace backstitch::format {

// A tree of refs: `root` stands at level `height`; all chunks at and beyond
// `chunks` are zero.
struct MapRoot {
  Ref root;
  uint64_t chunks = 0;
  int height() const { return height_for(chunks); }
};

// Immutable and thread-safe as long as `pages` outlives it. Every call may
// throw kDamaged; the message then carries the part of the disk that the
// damaged page covers.
class MapReader {
 public:
  MapReader(const PageSource& pages, MapRoot map) : pages_(pages), map_(map) {}

  const MapRoot& map() const { return map_; }
  // The ref of one chunk; zero at and beyond the end. At most height() pages.
  Ref lookup(uint64_t chunk) const;
  // First chunk at or after `chunk` that is data (is zero); map().chunks when
  // there is none. Whole subtrees of zeroes are skipped.
  uint64_t next_data(uint64_t chunk) const;
  uint64_t next_zero(uint64_t chunk) const;
  // How many chunks in [begin, end) are data.
  uint64_t count_data(uint64_t begin, uint64_t end) const;

 private:
  std::optional<uint64_t> find(const Ref& ref, int level, uint64_t first,
                               uint64_t from, bool want_zero) const;
  std::shared_ptr<const Page> load(const Ref& ref, int level,
                                   uint64_t first) const;
  uint64_t count(const Ref& ref, int level, uint64_t first, uint64_t begin,
                 uint64_t end) const;

  const PageSource& pages_;
  MapRoot map_;
};

}  // namespace backstitch::format
