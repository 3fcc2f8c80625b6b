// backstitch files tar: a tree of a guest as a tar stream.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/point.h"

namespace backstitch::cli {

namespace {

// A file that is complete under its name, or not there.
int write_file(const std::string& name, bool replace,
               const std::function<int(int)>& body) {
  namespace fs = std::filesystem;
  const fs::path target = fs::absolute(name);
  if (!replace && fs::exists(fs::symlink_status(target))) {
    throw Error(ErrorKind::kUsage,
                name + ": is there already; --force overwrites it");
  }
  const fs::path part = target.string() + ".part-" + std::to_string(::getpid());
  const File file = File::open(part, O_WRONLY | O_CREAT | O_EXCL, 0600);
  try {
    const int code = body(file.fd());
    file.sync();
    rename_path(part, target, replace);
    return code;
  } catch (...) {
    ::unlink(part.c_str());
    throw;
  }
}

int run(const Globals& globals, const Values& values) {
  const std::string output = text(values, "output");
  const bool to_file = !output.empty() && output != "-";
  if (globals.json)
    throw Error(ErrorKind::kUsage, "files tar prints an archive: no --json");
  if (!to_file && ::isatty(STDOUT_FILENO) != 0) {
    throw Error(ErrorKind::kUsage,
                "an archive is nothing for a terminal: say -o FILE");
  }
  const auto repository = globals.open_repository();
  const auto target = parse_files_target(repository, text(values, "point"));
  const auto to = [&](int out) {
    return with_files(globals, values, repository, target,
                      [&](engine::GuestView& guest) {
                        guest.read_tree(target.path, [&](int fd) {
                          pump(fd, out, to_file ? output : "standard output");
                        });
                        return kExitOk;
                      });
  };
  if (to_file) return write_file(output, flag(values, "force"), to);
  return with_output([&] { return to(STDOUT_FILENO); });
}

}  // namespace

Command files_tar_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("output,o",
                        po::value<std::string>()->value_name("FILE"),
                        "write to FILE instead of the standard output")(
      "force,f", po::bool_switch(), "overwrite FILE");
  add_mount_option(options);
  return {"files tar",
          "POINT:PATH",
          "Write a directory of a point as a tar archive.",
          options,
          {{"point", 1}},
          run};
}

}  // namespace backstitch::cli
