// Sizes, times and compressions as people and manifests write them.

#include "format/base/units.h"
#include "format/chain/codec.h"
#include "format/repository/manifest.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  fuzz::parses([&] {
    const uint64_t bytes = parse_bytes(text, "size");
    fuzz::require(!format_bytes(bytes).empty());
    fuzz::require(!format_range(bytes / 2, bytes).empty());
  });
  fuzz::parses([&] { fuzz::require(format_time(parse_time(text)) == text); });
  fuzz::parses([&] {
    const Compression parsed = Compression::parse(text);
    const Compression again = Compression::parse(parsed.to_string());
    fuzz::require(again.to_string() == parsed.to_string());
  });
  return 0;
}
