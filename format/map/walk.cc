#include "format/map/walk.h"

#include <algorithm>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

// The distinct refs that stand at one position in the maps being walked.
using Refs = std::vector<Ref>;

// Chains make long lists of nearly always equal refs: a list is short once it
// is made distinct, so a linear search is all that is needed.
void add_distinct(Refs& refs, const Ref& ref) {
  if (!ref.is_zero() && std::ranges::find(refs, ref) == refs.end())
    refs.push_back(ref);
}

class Walk {
 public:
  Walk(const PageSource& pages, std::span<const MapRoot> maps,
       const WalkVisitor& visitor)
      : pages_(pages), maps_(maps), visitor_(visitor) {}

  void run() {
    int height = 0;
    for (const MapRoot& map : maps_) height = std::max(height, map.height());
    descend({}, {height, 0});
  }

 private:
  // Lower trees stand at the beginning of the taller ones: their roots join at
  // their own level.
  void descend(Refs refs, Position at) {
    if (at.first == 0) {
      for (const MapRoot& map : maps_)
        if (map.height() == at.level) add_distinct(refs, map.root);
    }
    if (at.level > 0) descend_pages(refs, at);
    if (!visitor_.visit) return;
    for (const Ref& ref : refs) visitor_.visit(ref, at);
  }

  void descend_pages(const Refs& refs, Position at) {
    const auto pages = load(refs, at);
    const bool lower_roots_join = at.first == 0;
    if (pages.empty() && !lower_roots_join) return;
    const uint64_t span = level_span(at.level - 1);
    for (uint64_t slot = 0; slot < kPageRefs; ++slot) {
      Refs children;
      for (const auto& page : pages) add_distinct(children, (*page)[slot]);
      const bool joins = lower_roots_join && slot == 0;
      if (!children.empty() || joins) {
        descend(std::move(children), {at.level - 1, at.first + slot * span});
      }
    }
  }

  std::vector<std::shared_ptr<const Page>> load(const Refs& refs, Position at) {
    std::vector<std::shared_ptr<const Page>> pages;
    for (const Ref& ref : refs) {
      if (visitor_.enter && !visitor_.enter(ref)) continue;
      try {
        pages.push_back(pages_.page(ref, at.level));
      } catch (const Error& error) {
        if (!visitor_.damaged) throw;
        visitor_.damaged(ref, at, error);
      }
    }
    return pages;
  }

  const PageSource& pages_;
  const std::span<const MapRoot> maps_;
  const WalkVisitor& visitor_;
};

class Diff {
 public:
  Diff(const PageSource& pages_a, const PageSource& pages_b, uint64_t chunks,
       const std::function<void(uint64_t, uint64_t)>& differs)
      : pages_a_(pages_a),
        pages_b_(pages_b),
        chunks_(chunks),
        differs_(differs) {}

  void run(Ref a, int height_a, Ref b, int height_b) {
    descend(a, height_a, b, height_b, std::max(height_a, height_b), 0);
    if (end_ > begin_) differs_(begin_, end_ - begin_);
  }

 private:
  // `ref` stands at `ref_level` at the beginning of the disk, or exactly at the
  // level that is being looked at.
  static Ref child(const Ref& ref, int ref_level, const Page* page, int level,
                   uint64_t slot) {
    if (ref_level < level) return slot == 0 ? ref : Ref{};
    return page == nullptr ? Ref{} : (*page)[slot];
  }

  void descend(const Ref& a, int level_a, const Ref& b, int level_b, int level,
               uint64_t first) {
    if (first >= chunks_) return;
    // Equal bytes at the same place: a page holds the hashes of all below it.
    if (a.is_zero() && b.is_zero()) return;
    if (level_a == level_b && a.kind == b.kind && a.hash == b.hash) return;
    if (level == 0) return add(first);
    std::shared_ptr<const Page> page_a;
    std::shared_ptr<const Page> page_b;
    if (level_a == level && !a.is_zero()) page_a = pages_a_.page(a, level);
    if (level_b == level && !b.is_zero()) page_b = pages_b_.page(b, level);
    const uint64_t span = level_span(level - 1);
    for (uint64_t slot = 0; slot < kPageRefs; ++slot) {
      descend(child(a, level_a, page_a.get(), level, slot),
              std::min(level_a, level - 1),
              child(b, level_b, page_b.get(), level, slot),
              std::min(level_b, level - 1), level - 1, first + slot * span);
    }
  }

  void add(uint64_t chunk) {
    if (end_ == chunk && end_ > begin_) {
      ++end_;
      return;
    }
    if (end_ > begin_) differs_(begin_, end_ - begin_);
    begin_ = chunk;
    end_ = chunk + 1;
  }

  const PageSource& pages_a_;
  const PageSource& pages_b_;
  const uint64_t chunks_;
  const std::function<void(uint64_t, uint64_t)>& differs_;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace

void walk(const PageSource& pages, std::span<const MapRoot> maps,
          const WalkVisitor& visitor) {
  Walk(pages, maps, visitor).run();
}

void diff(const PageSource& pages_a, const MapRoot& a,
          const PageSource& pages_b, const MapRoot& b,
          const std::function<void(uint64_t, uint64_t)>& differs) {
  Diff(pages_a, pages_b, std::max(a.chunks, b.chunks), differs)
      .run(a.root, a.height(), b.root, b.height());
}

}  // namespace backstitch::format
