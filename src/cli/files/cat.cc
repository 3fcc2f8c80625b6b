// backstitch files cat: the bytes of a guest's files.
#include <unistd.h>

#include "format/base/error.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/point.h"

namespace backstitch::cli {

namespace {

int run(const Globals& globals, const Values& values) {
  if (globals.json)
    throw Error(ErrorKind::kUsage, "files cat prints the file: no --json");
  const auto repository = globals.open_repository();
  const auto targets = parse_files_targets(repository, texts(values, "point"));
  return with_output([&] {
    return with_files(globals, values, repository, targets.front(),
                      [&](engine::GuestView& guest) {
                        for (const auto& target : targets) {
                          guest.read_file(target.path, [](int fd) {
                            pump(fd, STDOUT_FILENO, "standard output");
                          });
                        }
                        return kExitOk;
                      });
  });
}

}  // namespace

Command files_cat_command() {
  Options options;
  add_mount_option(options);
  return {"files cat", "POINT:PATH…",   "Print files of a point.",
          options,     {{"point", -1}}, run};
}

}  // namespace backstitch::cli
