// backstitch files mount: a guest's files on a directory of the host.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/base/process.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/point.h"
#include "src/cli/output.h"
#include "src/mounts/mount_table.h"

namespace backstitch::cli {

namespace {

using engine::kFilesType;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{50};

void check_mount_point(const std::string& directory) {
  std::error_code code;
  if (!std::filesystem::is_directory(directory, code)) {
    throw Error(ErrorKind::kNotFound,
                directory + ": there is no such directory");
  }
  if (!std::filesystem::is_empty(directory, code) || code)
    throw Error(ErrorKind::kBusy, directory + ": is not empty");
}

void report(const Globals& globals, const FilesTarget& target,
            const std::string& directory) {
  if (globals.json) {
    print_json({{"point", target.label()}, {"mountpoint", directory}});
    return;
  }
  print(format::printable(fmt::format("the files of {} are on {}",
                                      target.label(), directory)) +
        "\n" +
        format::printable("unmount with: backstitch unmount " + directory) +
        "\n");
}

// FUSE's own options know no quoting of commas: the label says only what has
// none.
std::string mount_options(const Values& values) {
  std::string options = "subtype=backstitch-files,fsname=backstitch";
  if (flag(values, "allow-other")) options += ",allow_other";
  return options;
}

int serve(const Globals& globals, const Values& values,
          const format::Repository& repository, const FilesTarget& target,
          const std::string& directory) {
  return with_files(globals, values, repository, target,
                    [&](engine::GuestView& guest) {
                      guest.serve(directory, mount_options(values));
                      return kExitOk;
                    });
}

// The same command in the foreground, as a process of its own.
engine::Arguments foreground(const Values& values,
                             const format::Repository& repository,
                             const FilesTarget& target,
                             const std::string& directory) {
  engine::Arguments arguments = {
      "/proc/self/exe",
      "-q",
      "-r",
      std::filesystem::absolute(repository.path()).string(),
      "files",
      "mount",
      "--foreground"};
  if (flag(values, "allow-other")) arguments.emplace_back("--allow-other");
  for (const auto& mount : texts(values, "mount"))
    arguments.insert(arguments.end(), {"--mount", mount});
  std::string point = target.label();
  if (!target.disk.empty()) point += ":" + target.disk;
  arguments.insert(arguments.end(), {"--", point, directory});
  return arguments;
}

[[noreturn]] void throw_child_error(int status, std::string words) {
  constexpr std::string_view kName = "backstitch: ";
  if (words.starts_with(kName)) words.erase(0, kName.size());
  if (words.empty()) words = "files mount: " + engine::describe_status(status);
  throw Error(
      WIFEXITED(status) ? error_kind(WEXITSTATUS(status)) : ErrorKind::kFailed,
      words);
}

void start_behind(const engine::Arguments& arguments,
                  const std::string& directory) {
  auto child = engine::Process::start(arguments, "backstitch");
  while (true) {
    const auto mount = engine::mount_at(directory);
    if (mount && mount->type == kFilesType) break;
    const auto status = child.wait(kPoll);
    if (status) throw_child_error(*status, child.standard_error());
    engine::check_stop();
  }
  child.release();
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const auto target = parse_files_target(repository, text(values, "point"));
  const std::string directory = engine::real_mount_point(text(values, "dir"));
  check_mount_point(directory);
  if (flag(values, "foreground"))
    return serve(globals, values, repository, target, directory);
  {
    const Status status(globals, "starting the appliance …");
    start_behind(foreground(values, repository, target, directory), directory);
  }
  report(globals, target, directory);
  return kExitOk;
}

}  // namespace

Command files_mount_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("allow-other", po::bool_switch(),
                        "let all users see the files, not only you")(
      "foreground,f", po::bool_switch(),
      "stay until it is unmounted or a signal comes");
  add_mount_option(options);
  return {"files mount",
          "POINT DIR",
          "Show the files of a point on a directory.",
          options,
          {{"point", 1}, {"dir", 1}},
          run};
}

}  // namespace backstitch::cli
