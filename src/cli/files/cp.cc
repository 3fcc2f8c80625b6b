// backstitch files cp: files and trees of a guest, with all that belongs to
// them.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/point.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

namespace fs = std::filesystem;

struct Copy {
  std::string from;
  std::string to;
  bool into = false;  // the content of the guest's "/"
};

std::string last_part(std::string path) {
  while (path.size() > 1 && path.ends_with("/")) path.pop_back();
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name == "." || name == "..") {
    throw Error(ErrorKind::kUsage,
                path + ": end it with the name of what is to be copied");
  }
  return name;
}

// As cp does: into DEST where that is a directory, else to that name.
std::vector<Copy> plan(const std::vector<FilesTarget>& targets,
                       const fs::path& destination, bool force) {
  std::error_code code;
  const bool directory = fs::is_directory(destination, code);
  if (!directory && targets.size() > 1) {
    throw Error(ErrorKind::kUsage, destination.string() +
                                       ": is no directory, and several files "
                                       "are to be copied");
  }
  if (!directory && !fs::is_directory(destination.parent_path(), code)) {
    throw Error(ErrorKind::kNotFound, destination.parent_path().string() +
                                          ": there is no such directory");
  }
  std::vector<Copy> copies;
  for (const auto& target : targets) {
    const std::string name = last_part(target.path);
    const bool into = name.empty();
    if (into && !directory) {
      throw Error(ErrorKind::kUsage,
                  destination.string() + ": is no directory");
    }
    const fs::path to = into || !directory ? destination : destination / name;
    if (!into && !force && fs::exists(fs::symlink_status(to, code))) {
      throw Error(ErrorKind::kUsage,
                  to.string() + ": is there already; --force overwrites it");
    }
    for (const auto& other : copies) {
      if (other.to != to.string() || other.from == target.path) continue;
      throw Error(ErrorKind::kUsage, other.from + " and " + target.path +
                                         " would both become " + to.string());
    }
    copies.push_back({target.path, to.string(), into});
  }
  return copies;
}

// A few words; all of them with -v.
void tell(const std::vector<std::string>& words, const std::string& what) {
  if (words.empty()) return;
  spdlog::warn("{} {}: {}", count_of(words.size(), "file"), what,
               format::printable(words.front()));
  for (const auto& word : words) spdlog::debug("{}", format::printable(word));
}

void report(const Globals& globals, const FilesTarget& target,
            const engine::CopyNotes& notes, const std::string& destination) {
  tell(notes.incomplete, "not as in the guest");
  if (globals.json) {
    print_json({{"point", target.label()},
                {"dest", destination},
                {"files", notes.files},
                {"incomplete", notes.incomplete},
                {"missing", notes.missing}});
  } else if (!globals.quiet) {
    print(fmt::format("copied {} of {} to {}\n", count_of(notes.files, "file"),
                      format::printable(target.label()),
                      format::printable(destination)));
  }
  if (notes.missing.empty()) return;
  tell(notes.missing, "not copied");
  throw Error(ErrorKind::kFailed, count_of(notes.missing.size(), "file") +
                                      " of " + target.label() +
                                      " could not be copied");
}

int run(const Globals& globals, const Values& values) {
  auto words = texts(values, "point");
  if (words.size() < 2)
    throw Error(ErrorKind::kUsage, "files cp takes files and a destination");
  const fs::path destination = fs::absolute(words.back());
  words.pop_back();
  const auto repository = globals.open_repository();
  const auto targets = parse_files_targets(repository, words);
  const auto copies = plan(targets, destination, flag(values, "force"));
  engine::CopyNotes notes;
  with_files(globals, values, repository, targets.front(),
             [&](engine::GuestView& guest) {
               for (const auto& copy : copies)
                 engine::copy_out(guest, copy.from, copy.to, copy.into, notes);
               return kExitOk;
             });
  report(globals, targets.front(), notes, destination.string());
  return kExitOk;
}

}  // namespace

Command files_cp_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("force,f", po::bool_switch(),
                        "overwrite what is there");
  add_mount_option(options);
  return {"files cp",
          "POINT:PATH… DEST",
          "Copy files and directories out of a point.",
          options,
          {{"point", -1}},
          run};
}

}  // namespace backstitch::cli
