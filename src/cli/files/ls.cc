// backstitch files ls: what is in a directory of a guest.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/entry.h"
#include "src/cli/files/point.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using engine::GuestFile;

// A directory's entries, all below it, or what is none itself.
std::vector<GuestFile> look(engine::GuestView& guest, const std::string& path,
                            bool recursive) {
  GuestFile file = guest.stat(path);
  std::string directory = path;
  if (S_ISLNK(file.mode)) {
    // As ls does: a link to a directory is looked into.
    try {
      const std::string real = guest.real_path(path);
      if (S_ISDIR(guest.stat(real).mode)) {
        directory = real;
        file = guest.stat(real);
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
    }
  }
  if (S_ISDIR(file.mode)) {
    return recursive ? guest.walk(directory, true) : guest.list(directory);
  }
  file.path = path;
  return {file};
}

void report(const Globals& globals, const FilesTarget& target,
            const std::vector<GuestFile>& files, bool in_detail) {
  if (globals.json) {
    auto entries = nlohmann::json::array();
    for (const auto& file : files)
      entries.push_back(file_json(file, file.path));
    print_json(
        {{"point", target.label()}, {"path", target.path}, {"files", entries}});
    return;
  }
  if (in_detail) {
    Table table = long_table();
    for (const auto& file : files) add_long_row(table, file, file.path);
    if (!table.empty()) print(table.to_string());
    return;
  }
  std::string lines;
  for (const auto& file : files) lines += format::printable(file.path) + "\n";
  print(lines);
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const auto target = parse_files_target(repository, text(values, "point"));
  std::vector<GuestFile> files;
  with_files(globals, values, repository, target,
             [&](engine::GuestView& guest) {
               files = look(guest, target.path, flag(values, "recursive"));
               return kExitOk;
             });
  report(globals, target, files, flag(values, "long"));
  return kExitOk;
}

}  // namespace

Command files_ls_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("long,l", po::bool_switch(),
                        "with mode, owner, size and time")(
      "recursive,R", po::bool_switch(), "all that is below, too");
  add_mount_option(options);
  return {"files ls", "POINT:PATH",   "List files of a point.",
          options,    {{"point", 1}}, run};
}

}  // namespace backstitch::cli
