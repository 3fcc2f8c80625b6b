#include "src/cli/arguments.h"

#include "format/base/error.h"
#include "format/sparsestream/archive.h"

namespace backstitch::cli {

format::Repository Globals::open_repository() const {
  if (repository.empty()) {
    throw Error(ErrorKind::kUsage,
                "no repository named; use -r REPOSITORY or set "
                "BACKSTITCH_REPOSITORY");
  }
  return format::open_repository(repository);
}

format::Repository Globals::open_own_repository() const {
  auto opened = open_repository();
  opened.check_writable();
  return opened;
}

std::string text(const Values& values, const std::string& name) {
  return values.count(name) != 0 ? values[name].as<std::string>() : "";
}

std::vector<std::string> texts(const Values& values, const std::string& name) {
  using Texts = std::vector<std::string>;
  return values.count(name) != 0 ? values[name].as<Texts>() : Texts{};
}

bool flag(const Values& values, const std::string& name) {
  return values.count(name) != 0 && values[name].as<bool>();
}

std::string point_label(const std::string& domain, uint32_t number) {
  return domain + "@" + std::to_string(number);
}

}  // namespace backstitch::cli
