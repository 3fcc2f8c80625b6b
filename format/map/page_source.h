// Where the readers and walkers of maps get their pages from.
#pragma once

#include <memory>

#include "format/map/ref.h"

namespace backstitch::format {

// Thread-safe. Real sources read a disk's .map files (chain/disk_store.h);
// tests keep pages in memory.
class PageSource {
 public:
  virtual ~PageSource() = default;
  // The page that `ref` names, checked against its hash; `level` is the page's
  // own (1: its refs are chunks). Throws kDamaged naming file and offset.
  virtual std::shared_ptr<const Page> page(const Ref& ref, int level) const = 0;
};

}  // namespace backstitch::format
