// backstitch backup: make a recovery point.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/backup_all.h"
#include "src/cli/backup_report.h"
#include "src/cli/backup_request.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/libvirt/connection.h"

namespace backstitch::cli {

namespace {

using engine::DomainBackupResult;
using nlohmann::json;

void check_one_source(const Values& values) {
  const bool domain = !text(values, "domain").empty();
  const bool images = !texts(values, "image").empty();
  const bool all = flag(values, "all");
  if (domain && images) {
    throw Error(ErrorKind::kUsage,
                "DOMAIN and --image exclude each other; a machine of images "
                "is named with --name");
  }
  if (domain && all)
    throw Error(ErrorKind::kUsage, "DOMAIN and --all exclude each other");
  if (!domain && !images && !all) {
    throw Error(ErrorKind::kUsage,
                "nothing to back up; say DOMAIN, --all, or --image vda=FILE "
                "--name NAME");
  }
}

int estimate(const Globals& globals, const Values& values) {
  const std::string domain = text(values, "domain");
  const auto estimates =
      engine::estimate_domain(globals.open_own_repository(), globals.connect,
                              domain_backup_request(values, domain));
  auto list = json::array();
  Table table({{"DISK"}, {"TO READ", Table::Align::kRight}, {"HOW"}});
  for (const engine::DiskEstimate& disk : estimates) {
    list.push_back({{"name", disk.disk},
                    {"read_bytes", disk.bytes},
                    {"reason", disk.reason}});
    table.add(
        {disk.disk, format_bytes(disk.bytes),
         disk.reason.empty() ? "by dirty bitmap" : "whole: " + disk.reason});
  }
  globals.json ? print_json({{"domain", domain}, {"disks", list}})
               : print(table.to_string());
  return kExitOk;
}

int finish(const Globals& globals, const Values& values,
           const std::string& domain, const DomainBackupResult& result) {
  globals.json ? print_json(backup_json(result))
               : report_backup(domain, result);
  const bool warned = flag(values, "strict") && !result.warnings.empty();
  return warned ? kExitWarnings : kExitOk;
}

int run(const Globals& globals, const Values& values) {
  check_one_source(values);
  if (flag(values, "all")) return backup_all(globals, values);
  const std::string domain = text(values, "domain");
  DomainBackupResult result;
  if (!domain.empty()) {
    if (flag(values, "estimate")) return estimate(globals, values);
    const auto request = domain_backup_request(values, domain);
    const auto repository = globals.open_own_repository();
    const auto progress = make_progress(globals);
    result =
        engine::backup_domain(repository, globals.connect, request, *progress);
  } else {
    const auto request = image_backup_request(values);
    const auto repository = globals.open_own_repository();
    const auto progress = make_progress(globals);
    result.manifest = engine::backup_images(repository, request, *progress);
  }
  return finish(globals, values, domain, result);
}

}  // namespace

Command backup_command() {
  return {"backup",         "[DOMAIN]",      "Make a recovery point.",
          backup_options(), {{"domain", 1}}, run};
}

}  // namespace backstitch::cli
