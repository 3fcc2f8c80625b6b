// backstitch list: what a repository holds.
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/sparsestream/archive.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/cli/storage.h"
#include "src/records/listing.h"

namespace backstitch::cli {

namespace {

using nlohmann::json;
using Align = Table::Align;

// The exit code after points that could not be read: damage before all else.
void note(const Error& error, int& code) {
  spdlog::error("{}", format::printable(error.what()));
  if (code != kExitDamaged) code = exit_code(error.kind());
}

std::string unusable(const Error& error) {
  return error.kind() == ErrorKind::kDamaged ? "damaged" : "unreadable";
}

std::string short_level(format::Level level) {
  switch (level) {
    case format::Level::kFull:
      return "full";
    case format::Level::kIncremental:
      return "incr";
    case format::Level::kDifferential:
      return "diff";
    case format::Level::kCopy:
      return "copy";
  }
  return "";
}

std::string state_of(const format::Manifest& manifest) {
  if (!format::why_stale(manifest).empty()) return "possibly stale";
  return manifest.consistency == "agent-frozen" ? "frozen"
                                                : manifest.consistency;
}

// --- all domains ---

json domain_json(const format::Domain& domain, int& code) {
  const auto numbers = domain.points();
  json entry = {{"name", domain.name()},
                {"points", numbers.size()},
                {"latest", nullptr},
                {"stored_bytes", used_bytes(domain.path())}};
  if (numbers.empty()) return entry;
  const auto latest = engine::list_point(domain, numbers.back());
  if (!latest) return entry;
  entry["latest"] = {{"point", latest->number}};
  if (latest->error) {
    note(*latest->error, code);
    entry["latest"]["error"] = latest->error->what();
  } else {
    entry["latest"]["time"] = format::format_time(latest->manifest->time);
  }
  return entry;
}

std::string latest_text(const json& latest) {
  if (latest.is_null()) return "-";
  if (!latest.contains("time")) return "damaged";
  return local_time(format::parse_time(latest["time"]));
}

int list_domains(const Globals& globals, const format::Repository& repository) {
  int code = kExitOk;
  json domains = json::array();
  for (const auto& domain : repository.domains()) {
    domains.push_back(domain_json(domain, code));
  }
  if (globals.json) {
    print_json({{"repository", repository.path().string()},
                {"id", repository.id()},
                {"domains", domains}});
    return code;
  }
  Table table({{"DOMAIN"},
               {"POINTS", Align::kRight},
               {"LATEST"},
               {"STORED", Align::kRight}});
  for (const auto& domain : domains) {
    table.add({domain["name"], std::to_string(domain["points"].get<size_t>()),
               latest_text(domain["latest"]),
               format_bytes(domain["stored_bytes"])});
  }
  print(table.empty() ? "no backups yet\n" : table.to_string());
  return code;
}

// --- the points of one ---

json point_json(const engine::ListedPoint& point) {
  if (point.error) {
    return {{"point", point.number},
            {"error",
             {{"kind", to_string(point.error->kind())},
              {"message", point.error->what()}}}};
  }
  const auto& manifest = *point.manifest;
  json disks = json::array();
  for (const auto& disk : manifest.disks) disks.push_back(disk.name);
  return {{"point", point.number},
          {"time", format::format_time(manifest.time)},
          {"level", format::to_string(manifest.level)},
          {"parent", manifest.parent},
          {"chain", manifest.chain},
          {"consistency", manifest.consistency},
          {"possibly_stale", !format::why_stale(manifest).empty()},
          {"disks", disks},
          {"virtual_bytes", engine::virtual_bytes(manifest)},
          {"changed_bytes", engine::changed_bytes(manifest)},
          {"stored_bytes", manifest.stored_bytes()}};
}

std::vector<std::string> point_row(const engine::ListedPoint& point) {
  if (point.error) {
    return {std::to_string(point.number),
            "-",
            unusable(*point.error),
            "-",
            "-",
            "-",
            "-",
            "-"};
  }
  const auto& manifest = *point.manifest;
  return {std::to_string(point.number),
          local_minute(manifest.time),
          short_level(manifest.level),
          state_of(manifest),
          std::to_string(manifest.disks.size()),
          format_bytes(engine::virtual_bytes(manifest)),
          format_bytes(engine::changed_bytes(manifest)),
          format_bytes(manifest.stored_bytes())};
}

uint64_t remains_bytes(const format::Domain& domain, uint32_t number) {
  return used_bytes(domain.path() / format::point_name(number));
}

void print_points_json(const format::Domain& domain,
                       const std::vector<engine::ListedPoint>& points,
                       const std::vector<format::Manifest>& remains, bool all) {
  json document = {{"domain", domain.name()}, {"points", json::array()}};
  for (const auto& point : points) {
    document["points"].push_back(point_json(point));
  }
  if (all) document["deleted"] = json::array();
  for (const auto& manifest : remains) {
    document["deleted"].push_back(
        {{"point", manifest.point},
         {"time", format::format_time(manifest.time)},
         {"stored_bytes", remains_bytes(domain, manifest.point)}});
  }
  print_json(document);
}

int list_domain(const Globals& globals, const format::Domain& domain,
                bool all) {
  const auto points = engine::list_points(domain);
  const auto remains = all ? domain.remains() : std::vector<format::Manifest>{};
  int code = kExitOk;
  for (const auto& point : points) {
    if (point.error) note(*point.error, code);
  }
  if (globals.json) {
    print_points_json(domain, points, remains, all);
    return code;
  }
  Table table({{"POINT", Align::kRight},
               {"TIME"},
               {"LEVEL"},
               {"STATE"},
               {"DISKS", Align::kRight},
               {"VIRTUAL", Align::kRight},
               {"CHANGED", Align::kRight},
               {"STORED", Align::kRight}});
  for (const auto& point : points) table.add(point_row(point));
  for (const auto& manifest : remains) {
    table.add({std::to_string(manifest.point), local_minute(manifest.time),
               "deleted", "-", "-", "-", "-",
               format_bytes(remains_bytes(domain, manifest.point))});
  }
  print(table.empty() ? "no points\n" : table.to_string());
  return code;
}

// One a line, for scripts and completion; reads directories only.
int list_names(const format::Repository& repository,
               const std::string& domain) {
  std::string out;
  if (domain.empty()) {
    for (const auto& each : repository.domains()) out += each.name() + "\n";
  } else {
    for (const uint32_t number : repository.domain(domain).points()) {
      out += point_label(domain, number) + "\n";
    }
  }
  print(out);
  return kExitOk;
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const std::string domain = text(values, "domain");
  if (flag(values, "names") && !globals.json) {
    return list_names(repository, domain);
  }
  if (domain.empty()) return list_domains(globals, repository);
  return list_domain(globals, repository.domain(domain), flag(values, "all"));
}

}  // namespace

Command list_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("all,a", po::bool_switch(),
                        "also deleted points whose data others still need")(
      "names", po::bool_switch(), "only names, one a line");
  return {"list",  "[DOMAIN]",      "List domains, or the points of one.",
          options, {{"domain", 1}}, run};
}

}  // namespace backstitch::cli
