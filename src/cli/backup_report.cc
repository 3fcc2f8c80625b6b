#include "src/cli/backup_report.h"

#include <fmt/format.h>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/output.h"
#include "src/records/listing.h"

namespace backstitch::cli {
namespace {

using engine::DomainBackupResult;
using format::DiskManifest;
using format::Manifest;
using nlohmann::json;

json manifest_json(const Manifest& manifest) {
  auto disks = json::array();
  for (const DiskManifest& disk : manifest.disks) {
    disks.push_back({{"name", disk.name},
                     {"size_bytes", disk.size_bytes},
                     {"read", disk.read},
                     {"reason", disk.reason},
                     {"read_bytes", disk.read_bytes},
                     {"changed_bytes", engine::changed_bytes(disk)},
                     {"stored_bytes", disk.data_length + disk.map_length}});
  }
  return {{"domain", manifest.domain},
          {"point", manifest.point},
          {"level", format::to_string(manifest.level)},
          {"parent", manifest.parent},
          {"time", format::format_time(manifest.time)},
          {"duration_ms", manifest.duration_ms},
          {"consistency", manifest.consistency},
          {"stored_bytes", manifest.stored_bytes()},
          {"disks", disks}};
}

}  // namespace

json backup_json(const DomainBackupResult& result) {
  json document =
      result.manifest
          ? manifest_json(*result.manifest)
          : json{{"skipped", true}, {"changed_bytes", result.changed_bytes}};
  document["warnings"] = result.warnings;
  document["frozen_ms"] = result.frozen.count();
  return document;
}

void report_backup(const Manifest& manifest) {
  print(fmt::format(
      "made {}: {}, {}, {} stored in {:.1f} s\n",
      format::printable(point_label(manifest.domain, manifest.point)),
      format::to_string(manifest.level), manifest.consistency,
      format_bytes(manifest.stored_bytes()),
      static_cast<double>(manifest.duration_ms) / 1000));
  using Align = Table::Align;
  Table table({{"DISK"},
               {"SIZE", Align::kRight},
               {"READ", Align::kRight},
               {"CHANGED", Align::kRight},
               {"STORED", Align::kRight},
               {"HOW"}});
  for (const DiskManifest& disk : manifest.disks) {
    table.add(
        {disk.name, format_bytes(disk.size_bytes),
         format_bytes(disk.read_bytes),
         format_bytes(engine::changed_bytes(disk)),
         format_bytes(disk.data_length + disk.map_length),
         disk.read == "bitmap" ? "by dirty bitmap" : "whole: " + disk.reason});
  }
  print(table.to_string());
}

void report_backup(const std::string& domain,
                   const DomainBackupResult& result) {
  if (result.manifest) return report_backup(*result.manifest);
  print(fmt::format("no point of {}: only {} changed\n",
                    format::printable(domain),
                    format_bytes(result.changed_bytes)));
}

}  // namespace backstitch::cli
