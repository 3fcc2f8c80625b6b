#include "src/cli/commands.h"

#include <algorithm>

namespace backstitch::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      init_command(),     backup_command(),  import_command(),
      list_command(),     show_command(),    mount_command(),
      unmount_command(),  overlay_command(), boot_command(),
      finalize_command(), discard_command(), sessions_command(),
      restore_command(),  verify_command(),  diff_command(),
      delete_command(),   prune_command(),   completion_command(),
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

}  // namespace backstitch::cli
