// backstitch discard: end a machine that was booted, and remove what it made.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/recovery/boot.h"

namespace backstitch::cli {

namespace {

int run(const Globals& globals, const Values& values) {
  const std::string name = text(values, "name");
  engine::discard_session(name);
  if (globals.json) {
    print_json({{"name", name}, {"discarded", true}});
  } else {
    print(fmt::format("{} and all that it wrote is gone\n",
                      format::printable(name)));
  }
  return kExitOk;
}

}  // namespace

Command discard_command() {
  return {"discard",
          "NAME",
          "End a machine that was booted, and remove what it made.",
          {},
          {{"name", 1}},
          run};
}

}  // namespace backstitch::cli
