// Makes a new map out of an old one by path copying.
//
// The old tree is never changed: new pages are appended for the paths to what
// is assigned, all else keeps the old refs. Assignments come in ascending chunk
// order, so one open page a level is all the memory there is, whatever the size
// of the disk. A page whose content did not change keeps its old ref.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "format/map/map_reader.h"

namespace backstitch::format {

class MapWriter {
 public:
  // Appends a page to the new point's .map and returns its ref.
  using AppendPage = std::function<Ref(const Page&)>;

  // `old` is the map to build on (an empty one for a full). The new map holds
  // `chunks` chunks: a taller tree takes the old root as its first child, what
  // is beyond a new, smaller end is dropped. `pages` must outlive the writer.
  MapWriter(const PageSource& pages, MapRoot old, uint64_t chunks,
            AppendPage append);

  // One chunk; `ref` is a chunk ref or zero. Chunk numbers ascend over all
  // calls of assign and assign_zero.
  void assign(uint64_t chunk, const Ref& ref);
  // `count` chunks of zeroes from `first` on. Costs the pages at the two ends.
  void assign_zero(uint64_t first, uint64_t count);

  // Writes what is open and gives the new map. The writer is then spent.
  MapRoot finish();

 private:
  // The page being filled at one level, and where it came from.
  struct Open {
    uint64_t first = 0;  // first chunk that it covers
    Ref old_ref;         // what its parent's slot held
    Page page{};
    bool changed = false;
  };

  void open_path(uint64_t chunk, int down_to_level);
  void close_below(int level);
  Ref close_page(int level, const Open& open);
  void set_slot(int level, uint64_t first, const Ref& ref);
  void zero_subtrees(uint64_t first, uint64_t end);
  void adopt(MapRoot old);
  int open_level() const {
    return height_ - static_cast<int>(open_.size()) + 1;
  }

  const PageSource& pages_;
  AppendPage append_;
  uint64_t chunks_;
  int height_;
  uint64_t next_ = 0;    // assignments below this chunk are over
  bool shrunk_ = false;  // what the old map has beyond the new end must go
  // open_[i] is the open page of level height_ - i; open_level() is the
  // deepest one's.
  std::vector<Open> open_;
  Ref root_;
};

}  // namespace backstitch::format
