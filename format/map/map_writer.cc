#include "format/map/map_writer.h"

#include <algorithm>
#include <cassert>

namespace backstitch::format {

MapWriter::MapWriter(const PageSource& pages, MapRoot old, uint64_t chunks,
                     AppendPage append)
    : pages_(pages),
      append_(std::move(append)),
      chunks_(chunks),
      height_(height_for(chunks)),
      shrunk_(old.chunks > chunks) {
  open_.reserve(static_cast<size_t>(height_));
  adopt(old);
}

// A lower tree begins at a first child of the old root. A taller one takes the
// old root as its first child: the pages above it are new and open from the
// start, for the old root stands at their beginning.
void MapWriter::adopt(MapRoot old) {
  root_ = old.root;
  int level = old.height();
  for (; level > height_ && !root_.is_zero(); --level)
    root_ = (*pages_.page(root_, level))[0];
  if (level >= height_ || root_.is_zero()) return;
  for (int above = height_; above > level; --above) {
    open_.emplace_back();
    open_.back().changed = true;
  }
  open_.back().page[0] = root_;
  root_ = {};
}

// Makes sure that the open pages are those on the way to `chunk`, from the root
// down to the page of `down_to_level`.
void MapWriter::open_path(uint64_t chunk, int down_to_level) {
  while (!open_.empty() &&
         chunk - open_.back().first >= level_span(open_level())) {
    close_below(open_level() + 1);
  }
  while (open_level() > down_to_level) {
    const int level = open_level() - 1;
    Open next;
    next.old_ref = root_;
    if (!open_.empty()) {
      const Open& above = open_.back();
      const uint64_t slot = (chunk - above.first) / level_span(level);
      next.first = above.first + slot * level_span(level);
      next.old_ref = above.page[slot];
    }
    if (!next.old_ref.is_zero()) next.page = *pages_.page(next.old_ref, level);
    open_.push_back(next);
  }
}

// Closes every open page below `level`, deepest first.
void MapWriter::close_below(int level) {
  while (!open_.empty() && open_level() < level) {
    const int closing = open_level();
    const Open done = open_.back();
    open_.pop_back();
    const Ref ref = close_page(closing, done);
    if (open_.empty()) {
      root_ = ref;
    } else {
      set_slot(closing + 1, done.first, ref);
    }
  }
}

Ref MapWriter::close_page(int level, const Open& open) {
  if (!open.changed) return open.old_ref;
  if (std::ranges::all_of(open.page, &Ref::is_zero)) return {};
  // Changed and changed back (a zeroed range that was zero): the old page.
  if (!open.old_ref.is_zero() &&
      *pages_.page(open.old_ref, level) == open.page) {
    return open.old_ref;
  }
  return append_(open.page);
}

// Sets the slot of the open page of `level` whose child begins at `first`.
void MapWriter::set_slot(int level, uint64_t first, const Ref& ref) {
  Open& open = open_[static_cast<size_t>(height_ - level)];
  Ref& slot = open.page[(first - open.first) / level_span(level - 1)];
  if (slot == ref) return;
  slot = ref;
  open.changed = true;
}

void MapWriter::assign(uint64_t chunk, const Ref& ref) {
  assert(chunk >= next_ && chunk < chunks_);
  next_ = chunk + 1;
  if (height_ == 0) {
    root_ = ref;
    return;
  }
  open_path(chunk, 1);
  set_slot(1, chunk, ref);
}

void MapWriter::assign_zero(uint64_t first, uint64_t count) {
  if (count == 0) return;
  assert(first >= next_ && count <= chunks_ - first);
  next_ = first + count;
  // What lies beyond the end is zero by definition: taking it along lets a
  // range that reaches the end be one subtree.
  const bool to_the_end = next_ == chunks_;
  zero_subtrees(first, to_the_end ? level_span(height_) : next_);
  if (to_the_end) shrunk_ = false;
}

// Splits the range into the largest aligned subtrees and zeroes each in the
// page above it.
void MapWriter::zero_subtrees(uint64_t first, uint64_t end) {
  while (first < end) {
    int level = 0;
    while (level < height_ && first % level_span(level + 1) == 0 &&
           level_span(level + 1) <= end - first) {
      ++level;
    }
    if (level < height_) open_path(first, level + 1);
    // What is open below can only be the first pages of a taller tree, which
    // this range zeroes: they are dropped, never written.
    while (!open_.empty() && open_level() <= level) open_.pop_back();
    if (level == height_) {
      root_ = {};
    } else {
      set_slot(level + 1, first, {});
    }
    first += level_span(level);
  }
}

MapRoot MapWriter::finish() {
  if (shrunk_) zero_subtrees(chunks_, level_span(height_));
  close_below(height_ + 1);
  return {root_, chunks_};
}

}  // namespace backstitch::format
