// Gives a changed manifest or repository.json the hash of its new content.
#pragma once

#include <string>
#include <string_view>

#include "format/base/bytes.h"

namespace backstitch::test {

inline std::string rehashed(std::string text) {
  if (text.size() < 41) return text;
  return text.replace(9, 32,
                      to_hex(hash_of(std::string_view(text).substr(41))));
}

}  // namespace backstitch::test
