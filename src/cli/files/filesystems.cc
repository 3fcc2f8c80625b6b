// backstitch files filesystems: what there is to choose from.
#include <nlohmann/json.hpp>

#include "format/base/units.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/point.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

void report(const Globals& globals, const FilesTarget& target,
            const std::vector<engine::GuestFileSystem>& found) {
  if (globals.json) {
    auto entries = nlohmann::json::array();
    for (const auto& one : found) {
      entries.push_back({{"device", one.device},
                         {"type", one.type},
                         {"label", one.label},
                         {"uuid", one.uuid},
                         {"size_bytes", one.size_bytes},
                         {"mountpoint", one.mount_point}});
    }
    print_json({{"point", target.label()}, {"filesystems", entries}});
    return;
  }
  Table table({{"DEVICE"},
               {"TYPE"},
               {"SIZE", Table::Align::kRight},
               {"LABEL"},
               {"MOUNTED"}});
  for (const auto& one : found) {
    table.add({one.device, one.type, format_bytes(one.size_bytes), one.label,
               one.mount_point});
  }
  if (!table.empty()) print(table.to_string());
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const auto target = parse_files_target(repository, text(values, "point"));
  std::vector<engine::GuestFileSystem> found;
  {
    FilesPoint point(repository, target);
    const Status status(globals, "starting the appliance …");
    point.start({}, true);
    point.guarded([&] { found = point.guest().file_systems(); });
  }
  report(globals, target, found);
  return kExitOk;
}

}  // namespace

Command files_filesystems_command() {
  return {"files filesystems",
          "POINT",
          "List the file systems of a point's disks.",
          {},
          {{"point", 1}},
          run};
}

}  // namespace backstitch::cli
