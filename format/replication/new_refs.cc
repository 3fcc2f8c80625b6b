#include "format/replication/new_refs.h"

#include <algorithm>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

class NewRefs {
 public:
  NewRefs(const MapView& map, const MapView& base,
          const std::function<bool(const Ref&)>& known,
          const std::function<void(const Ref&, Position)>& visit)
      : map_(map), base_(base), known_(known), visit_(visit) {}

  void run() {
    Ref old = base_.map.root;
    int old_level = base_.map.height();
    // Of a taller base only its beginning can be the same.
    for (; old_level > map_.map.height(); --old_level) {
      const auto page = base_page(old, old_level);
      old = page == nullptr ? Ref{} : (*page)[0];
    }
    descend(map_.map.root, {map_.map.height(), 0}, old, old_level);
  }

 private:
  // `old` stands at `old_level` at the beginning of the disk, or exactly where
  // `ref` does.
  void descend(const Ref& ref, Position at, const Ref& old, int old_level) {
    if (ref.is_zero() || (old_level == at.level && ref == old)) return;
    if (known_(ref)) return;
    if (at.level > 0) descend_page(ref, at, old, old_level);
    visit_(ref, at);
  }

  void descend_page(const Ref& ref, Position at, const Ref& old,
                    int old_level) {
    const auto page = map_.pages.page(ref, at.level);
    std::shared_ptr<const Page> old_page;
    if (old_level == at.level) old_page = base_page(old, at.level);
    const uint64_t span = level_span(at.level - 1);
    for (uint64_t slot = 0; slot < kPageRefs; ++slot) {
      Ref below;
      if (old_level < at.level) {
        if (slot == 0) below = old;
      } else if (old_page) {
        below = (*old_page)[slot];
      }
      descend((*page)[slot], {at.level - 1, at.first + slot * span}, below,
              std::min(old_level, at.level - 1));
    }
  }

  std::shared_ptr<const Page> base_page(const Ref& ref, int level) {
    if (ref.is_zero()) return nullptr;
    try {
      return base_.pages.page(ref, level);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDamaged) throw;
      return nullptr;
    }
  }

  const MapView& map_;
  const MapView& base_;
  const std::function<bool(const Ref&)>& known_;
  const std::function<void(const Ref&, Position)>& visit_;
};

}  // namespace

void walk_new(const MapView& map, const MapView& base,
              const std::function<bool(const Ref&)>& known,
              const std::function<void(const Ref&, Position)>& visit) {
  NewRefs(map, base, known, visit).run();
}

}  // namespace backstitch::format
