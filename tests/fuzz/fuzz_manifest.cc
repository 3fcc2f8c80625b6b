// Manifests, as they are and with the hash made right. What can be read must
// be written so that it is read again the same.

#include "format/repository/manifest.h"
#include "tests/fuzz/input.h"
#include "tests/support/rehash.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

void try_manifest(const std::string& text) {
  fuzz::parses([&] {
    const Manifest manifest = parse_manifest(text);
    fuzz::require(manifest.point != 0 && manifest.chain <= manifest.point);
    const std::string written = serialize(manifest);
    fuzz::require(serialize(parse_manifest(written)) == written);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  try_manifest(text);
  try_manifest(test::rehashed(text));
  return 0;
}
