// backstitch finalize: move a recovered machine to its storage while it runs.
#include "src/recovery/finalize.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/sparsestream/archive.h"
#include "src/cli/arguments.h"
#include "src/cli/backup_report.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/libvirt/domain_backup.h"

namespace backstitch::cli {

namespace {

using engine::FinalizeResult;
using nlohmann::json;

json to_json(const FinalizeResult& result) {
  auto disks = json::array();
  for (const auto& disk : result.session.disks) {
    disks.push_back(
        {{"name", disk.name}, {"path", disk.target}, {"format", disk.format}});
  }
  return {{"name", result.session.name},
          {"took_ms", result.took.count()},
          {"longest_pause_ms", result.longest_pause.count()},
          {"disks", disks}};
}

std::string to_text(const FinalizeResult& result) {
  std::string out = fmt::format(
      "{} is on its storage, after {:.1f} s (paused for {} ms at most)\n",
      format::printable(result.session.name),
      static_cast<double>(result.took.count()) / 1000,
      result.longest_pause.count());
  for (const auto& disk : result.session.disks)
    out += "  " + disk.name + ": " + format::printable(disk.target) + "\n";
  return out;
}

// The chain goes on where it was, by content.
engine::DomainBackupResult protect(const FinalizeResult& result,
                                   engine::Progress& progress) {
  engine::DomainBackupRequest request;
  request.domain = result.session.uuid;
  request.name = result.session.domain;
  return engine::backup_domain(
      format::open_repository(result.session.repository), result.session.uri,
      request, progress);
}

int run(const Globals& globals, const Values& values) {
  engine::FinalizeOptions options;
  const std::string bandwidth = text(values, "bandwidth");
  if (!bandwidth.empty())
    options.bandwidth = parse_bytes(bandwidth, "--bandwidth");
  options.pull = flag(values, "pull");
  const auto progress = make_progress(globals);
  const FinalizeResult result =
      engine::finalize_session(text(values, "name"), options, *progress);
  json document = to_json(result);
  if (!globals.json) print(to_text(result));
  if (flag(values, "protect")) {
    const auto backup = protect(result, *progress);
    document["backup"] = backup_json(backup);
    if (!globals.json) report_backup(result.session.domain, backup);
  }
  if (globals.json) print_json(document);
  return kExitOk;
}

}  // namespace

Command finalize_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("bandwidth",
                        po::value<std::string>()->value_name("BYTES"),
                        "move no more than this a second")(
      "pull", po::bool_switch(),
      "let QEMU pull the point into the overlays: slower, nothing beside them")(
      "protect", po::bool_switch(),
      "make the next point of the machine that it was, at once");
  return {"finalize",
          "NAME",
          "Move a machine that was booted to its storage, as it runs.",
          options,
          {{"name", 1}},
          run};
}

}  // namespace backstitch::cli
