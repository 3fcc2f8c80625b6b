// What one map reaches and another does not.
#pragma once

#include <functional>

#include "format/map/walk.h"

namespace backstitch::format {

// A map and where its pages are read from, which must outlive its use.
struct MapView {
  const PageSource& pages;
  MapRoot map;
};

// Calls `visit` for every ref that `map` reaches, in guest order, pages after
// all below them; but neither for those that `base` has at the same place nor
// for those that `known` is true for, and for nothing below them. A page of
// `base` that is damaged counts as one that has nothing; one of `map` throws.
void walk_new(const MapView& map, const MapView& base,
              const std::function<bool(const Ref&)>& known,
              const std::function<void(const Ref&, Position)>& visit);

}  // namespace backstitch::format
