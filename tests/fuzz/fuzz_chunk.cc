// Stored chunks: the first byte is the codec, the rest what lies in the file.
// Once as it is and once with the right check, which lets it through to zstd.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format/chain/codec.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Codec codec = data[0] % 2 == 0 ? Codec::kStored : Codec::kZstd;
  const ByteView stored = fuzz::bytes_of(data + 1, size - 1);
  Bytes out(kChunkBytes);
  fuzz::parses([&] { decode_chunk(codec, stored, out); });
  Bytes checked(stored.begin(), stored.end());
  checked.resize(checked.size() + sizeof(uint64_t));
  store_le<uint64_t>(&checked[stored.size()],
                     XXH3_64bits(stored.data(), stored.size()));
  fuzz::parses([&] { decode_chunk(codec, checked, out); });
  return 0;
}
