// repository.json: opening a directory that holds the input under this name.

#include <fcntl.h>

#include "format/base/file.h"
#include "format/repository/repository.h"
#include "tests/fuzz/input.h"
#include "tests/support/rehash.h"
#include "tests/support/temp_dir.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

void try_repository(const std::string& text) {
  static const test::TempDir dir;
  const File file =
      File::open(dir.path() / "repository.json", O_WRONLY | O_CREAT | O_TRUNC);
  file.write_at(0, std::as_bytes(std::span(text)));
  fuzz::parses([&] { Repository::open(dir.path()); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  try_repository(text);
  try_repository(test::rehashed(text));
  return 0;
}
