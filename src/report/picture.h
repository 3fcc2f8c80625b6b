// Screenshots small enough for a page of many.
#pragma once

#include "format/base/bytes.h"

namespace backstitch::engine {

struct Picture {
  Bytes png;
  unsigned width = 0;
  unsigned height = 0;
};

// The image, halved until it takes no more than `limit` bytes. Throws kFailed
// when it is no PNG, or one that does not become so small.
Picture small_picture(const Bytes& png, size_t limit);

}  // namespace backstitch::engine
