// What the fuzz targets share: the input as text, and which failures are right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "format/base/bytes.h"
#include "format/base/error.h"

namespace backstitch::fuzz {

inline ByteView bytes_of(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}

inline std::string text_of(const uint8_t* data, size_t size) {
  return std::string(data, data + size);
}

// A parser gives a value or throws an Error; any other exception ends the run,
// as a failed sanitizer does. True if it gave a value.
template <typename Parse>
bool parses(Parse&& parse) {
  try {
    parse();
    return true;
  } catch (const Error&) {
    return false;
  }
}

// What must hold of every value that a parser gave, in every build.
inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace backstitch::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
