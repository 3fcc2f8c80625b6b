// Names from outside. Whatever is allowed must stay inside its directory and
// on its line.

#include <filesystem>

#include "format/repository/names.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

bool one_component(const std::string& name) {
  const std::filesystem::path path =
      (std::filesystem::path("/r") / name).lexically_normal();
  return path.parent_path() == "/r" && path.filename() == name;
}

bool one_line(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string name = fuzz::text_of(data, size);
  fuzz::require(one_line(printable(name)));
  for (const auto check :
       {check_domain_name, check_disk_name, check_side_file_name}) {
    if (!fuzz::parses([&] { check(name); })) continue;
    fuzz::require(one_component(name) && one_line(name) && size <= 200);
    fuzz::require(printable(name) == name);
  }
  if (const uint32_t number = point_number(name))
    fuzz::require(point_name(number) == name);
  return 0;
}
