// What a command of `backstitch` is: a row in a table, one file each.
#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "format/repository/repository.h"

namespace backstitch::cli {

// Options that stand before the command (or among its own).
struct Globals {
  std::string repository;  // -r, or BACKSTITCH_REPOSITORY
  std::string connect;     // -c, or LIBVIRT_DEFAULT_URI
  std::string log_file;    // --log-file; empty: none
  bool json = false;
  bool quiet = false;
  int verbose = 0;

  // Throws kUsage when none was named. It may be an archive, which is only
  // read.
  format::Repository open_repository() const;
  // The same for commands that write: throws kUnsupported for an archive.
  format::Repository open_own_repository() const;
};

using Options = boost::program_options::options_description;
using Values = boost::program_options::variables_map;

struct Command {
  std::string name;  // one word, or two: "files ls"
  // Of the usage line: "DOMAIN [POINT…]". What stands outside of brackets is
  // required: the frame refuses a call without it.
  std::string arguments;
  std::string summary;  // one line of `backstitch --help`
  // Named options, shown by `COMMAND --help`. One that takes a value has a
  // value_name, from which completion knows what to offer (see completion.cc).
  Options options;
  // Positional arguments in order: option names (hidden from --help), each
  // with how many it takes, -1 for all that is left. The frame declares them:
  // a std::string where one is taken, else a std::vector<std::string>.
  std::vector<std::pair<std::string, int>> positionals;
  // Gives the exit code; failures are thrown. Results are printed with print()
  // or, with globals.json, by one print_json() (src/cli/output.h).
  std::function<int(const Globals&, const Values&)> run;
};

// One function a file.
Command backup_command();
Command boot_command();
Command completion_command();
Command copy_to_command();
Command delete_command();
Command diff_command();
Command discard_command();
Command doctor_command();
Command files_cat_command();
Command files_cp_command();
Command files_diff_command();
Command files_filesystems_command();
Command files_find_command();
Command files_ls_command();
Command files_mount_command();
Command files_tar_command();
Command finalize_command();
Command import_command();
Command init_command();
Command list_command();
Command metrics_command();
Command mount_command();
Command overlay_command();
Command prune_command();
Command repair_command();
Command report_command();
Command restore_command();
Command run_command();
Command sessions_command();
Command show_command();
Command unmount_command();
Command verify_command();

}  // namespace backstitch::cli
