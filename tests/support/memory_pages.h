// A page source that lives in memory and keeps count.
#pragma once

#include <map>
#include <memory>

#include "format/base/error.h"
#include "format/map/page_source.h"

namespace backstitch::test {

class MemoryPages : public format::PageSource {
 public:
  std::shared_ptr<const format::Page> page(const format::Ref& ref,
                                           int level) const override {
    const auto found = pages_.find(ref.offset);
    if (found == pages_.end())
      throw Error(ErrorKind::kDamaged, "no page at this offset");
    // What a store would check on the way.
    format::decode_page(encode(*found->second), level, ref.point);
    return found->second;
  }

  format::Ref append(const format::Page& page, uint32_t point) {
    const auto bytes = encode(page);
    format::Ref ref;
    ref.kind = format::RefKind::kPage;
    ref.length = format::kPageBytes;
    ref.point = point;
    ref.offset = next_;
    ref.hash = hash_of(bytes);
    pages_.emplace(next_, std::make_shared<format::Page>(page));
    next_ += format::kPageBytes;
    return ref;
  }

  uint64_t next_offset() const { return next_; }

 private:
  std::map<uint64_t, std::shared_ptr<const format::Page>> pages_;
  uint64_t next_ = format::kHeaderBytes;
};

}  // namespace backstitch::test
