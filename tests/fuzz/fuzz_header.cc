// File headers, as they are and with the hash made right, which lets the input
// past the first check.

#include <algorithm>

#include "format/chain/file_header.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

void try_header(const std::array<std::byte, kHeaderBytes>& raw) {
  fuzz::parses([&] {
    const FileHeader header = decode_header(raw);
    fuzz::require(header.disk.size() < 64);
    fuzz::require(decode_header(encode(header)) == header);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::array<std::byte, kHeaderBytes> raw{};
  const ByteView bytes = fuzz::bytes_of(data, std::min(size, raw.size()));
  std::ranges::copy(bytes, raw.begin());
  try_header(raw);
  const Hash128 hash = hash_of(ByteView(raw).first(kHeaderBytes - 16));
  store_le(&raw[kHeaderBytes - 16], hash.low);
  store_le(&raw[kHeaderBytes - 8], hash.high);
  try_header(raw);
  return 0;
}
