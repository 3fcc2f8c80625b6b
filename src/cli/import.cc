// backstitch import: bring an archive of virtnbdbackup into the repository.
#include "src/archive/import.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/sparsestream/archive.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using engine::ImportedPoint;
using format::printable;
using nlohmann::json;

json point_json(const std::string& from, const std::string& name,
                const ImportedPoint& point) {
  json entry = {{"from", point_label(from, point.from)},
                {"was_there", point.was_there}};
  if (!point.error.empty()) {
    entry["error"] = point.error;
    return entry;
  }
  entry["domain"] = name;
  entry["point"] = point.point;
  entry["level"] = format::to_string(point.level);
  entry["stored_bytes"] = point.stored_bytes;
  return entry;
}

std::string line(const std::string& from, const std::string& name,
                 const ImportedPoint& point) {
  return printable(fmt::format(
             "{} {} {} as {} ({} stored)", point.was_there ? "has" : "imported",
             format::to_string(point.level), point_label(from, point.from),
             point_label(name, point.point),
             format_bytes(point.stored_bytes))) +
         "\n";
}

std::vector<format::Domain> domains_of(const format::Repository& archive,
                                       const std::string& name) {
  if (!archive.is_archive()) {
    throw Error(ErrorKind::kUsage,
                archive.path().string() +
                    ": is a repository, not an archive of virtnbdbackup");
  }
  auto domains = archive.domains();
  if (!name.empty() && domains.size() > 1) {
    throw Error(ErrorKind::kUsage,
                archive.path().string() +
                    ": holds several machines; --name is for one");
  }
  return domains;
}

int run(const Globals& globals, const Values& values) {
  const std::string name = text(values, "name");
  if (!name.empty()) format::check_domain_name(name);
  engine::ImportRequest request;
  const std::string method = text(values, "compression");
  if (!method.empty()) request.compression = format::Compression::parse(method);
  const auto repository = globals.open_own_repository();
  const auto archive = format::open_repository(text(values, "archive"));
  const auto progress = make_progress(globals);
  json points = json::array();
  int code = kExitOk;
  for (const auto& domain : domains_of(archive, name)) {
    request.name = name.empty() ? domain.name() : name;
    for (const auto& point :
         engine::import_domain(repository, domain, request, *progress)) {
      points.push_back(point_json(domain.name(), request.name, point));
      if (!point.error.empty()) {
        spdlog::error("{}", printable(point.error));
        code = kExitDamaged;
      } else if (!globals.json) {
        print(line(domain.name(), request.name, point));
      }
    }
  }
  if (globals.json) print_json({{"points", points}});
  return code;
}

}  // namespace

Command import_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("name", po::value<std::string>()->value_name("NAME"),
                        "of the domain (default: as the archive calls it)")(
      "compression", po::value<std::string>()->value_name("METHOD"),
      format::Compression::methods().c_str());
  return {"import",
          "ARCHIVE",
          "Make points of an archive that virtnbdbackup wrote.",
          options,
          {{"archive", 1}},
          run};
}

}  // namespace backstitch::cli
