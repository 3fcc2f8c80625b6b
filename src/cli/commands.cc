#include "src/cli/commands.h"

#include <algorithm>

namespace backstitch::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      init_command(),        backup_command(),
      import_command(),      list_command(),
      show_command(),        mount_command(),
      unmount_command(),     overlay_command(),
      files_ls_command(),    files_cat_command(),
      files_cp_command(),    files_tar_command(),
      files_find_command(),  files_diff_command(),
      files_mount_command(), files_filesystems_command(),
      boot_command(),        finalize_command(),
      discard_command(),     sessions_command(),
      restore_command(),     verify_command(),
      repair_command(),      diff_command(),
      copy_to_command(),     delete_command(),
      prune_command(),       run_command(),
      report_command(),      metrics_command(),
      doctor_command(),      completion_command(),
  };
  return table;
}

const Command* find_command(const std::string& name) {
  const auto& table = commands();
  const auto found = std::find_if(
      table.begin(), table.end(),
      [&](const Command& command) { return command.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::vector<const Command*> commands_of(const std::string& group) {
  std::vector<const Command*> members;
  for (const auto& command : commands()) {
    if (command.name.starts_with(group + " ")) members.push_back(&command);
  }
  return members;
}

}  // namespace backstitch::cli
