// backstitch init: create a repository.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

int run(const Globals& globals, const Values& values) {
  std::string path = text(values, "path");
  if (path.empty()) path = globals.repository;
  if (path.empty()) {
    throw Error(ErrorKind::kUsage,
                "no repository named; say 'backstitch init DIR', use -r DIR or "
                "set BACKSTITCH_REPOSITORY");
  }
  const auto absolute =
      std::filesystem::absolute(path).lexically_normal().string();
  const auto repository = format::Repository::create(absolute);
  if (globals.json) {
    print_json({{"repository", absolute}, {"id", repository.id()}});
    return kExitOk;
  }
  print(
      fmt::format("created repository {} in {}\n"
                  "next: backstitch -r {} backup DOMAIN\n",
                  repository.id().substr(0, 8), format::printable(absolute),
                  format::printable(path)));
  return kExitOk;
}

}  // namespace

Command init_command() {
  return {"init", "[PATH]", "Create a repository.", {}, {{"path", 1}}, run};
}

}  // namespace backstitch::cli
