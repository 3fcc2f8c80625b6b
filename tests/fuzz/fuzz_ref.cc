// Refs and pages. What can be decoded must come out the same when encoded.

#include <algorithm>

#include "format/map/ref.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

void try_ref(ByteView bytes) {
  fuzz::parses([&] {
    const auto raw = bytes.first<kRefBytes>();
    const Ref ref = decode_ref(raw);
    fuzz::require(std::ranges::equal(encode(ref), raw));
  });
}

// The first bytes say what the page is; the rest is its refs, repeated.
void try_page(ByteView bytes) {
  std::array<std::byte, kPageBytes> raw{};
  const int level = 1 + std::to_integer<int>(bytes[0]) % 9;
  const auto point = std::to_integer<uint32_t>(bytes[1]);
  const ByteView refs = bytes.subspan(2);
  for (size_t i = 0; i < raw.size(); ++i)
    raw[i] = refs.empty() ? std::byte{0} : refs[i % refs.size()];
  fuzz::parses([&] {
    const Page page = decode_page(raw, level, point);
    fuzz::require(encode(page) == raw);
    for (const Ref& ref : page) check_ref(ref, level - 1, point);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes = fuzz::bytes_of(data, size);
  if (bytes.size() >= kRefBytes) try_ref(bytes);
  if (bytes.size() >= 2) try_page(bytes);
  return 0;
}
