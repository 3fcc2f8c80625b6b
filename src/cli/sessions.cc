// backstitch sessions: the machines that were booted and are not yet finalized.
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/recovery/boot.h"

namespace backstitch::cli {

namespace {

using engine::DiskPlace;
using engine::Session;

const char* place_words(DiskPlace place) {
  switch (place) {
    case DiskPlace::kOverlay:
      return "on the point";
    case DiskPlace::kCopied:
      return "copied";
    case DiskPlace::kBridge:
      return "on its storage, to be folded";
    case DiskPlace::kFinal:
      return "on its storage";
  }
  return "";
}

std::string state_of(const Session& session) {
  try {
    return engine::session_state(session);
  } catch (const Error&) {
    return "unknown";  // the hypervisor cannot be asked
  }
}

int run(const Globals& globals, const Values&) {
  auto list = nlohmann::json::array();
  Table table({{"NAME"}, {"POINT"}, {"STARTED"}, {"STATE"}, {"DISKS"}});
  for (const Session& session : engine::all_sessions()) {
    auto disks = nlohmann::json::array();
    std::string words;
    for (const auto& disk : session.disks) {
      disks.push_back({{"name", disk.name},
                       {"place", place_words(disk.place)},
                       {"overlay", disk.overlay},
                       {"target", disk.target}});
      words += (words.empty() ? "" : ", ") + disk.name + " " +
               place_words(disk.place);
    }
    if (session.throw_away) words = "to be thrown away (verify --boot)";
    const std::string point = point_label(session.domain, session.point);
    const std::string state = state_of(session);
    list.push_back({{"name", session.name},
                    {"point", point},
                    {"started", format::format_time(session.started)},
                    {"state", state},
                    {"storage", session.storage},
                    {"throw_away", session.throw_away},
                    {"disks", disks}});
    table.add(
        {session.name, point, local_minute(session.started), state, words});
  }
  if (globals.json) {
    print_json({{"sessions", list}});
  } else {
    print(list.empty() ? "no machine is being recovered\n" : table.to_string());
  }
  return kExitOk;
}

}  // namespace

Command sessions_command() {
  return {"sessions", "", "List the machines that are being recovered.",
          {},         {}, run};
}

}  // namespace backstitch::cli
