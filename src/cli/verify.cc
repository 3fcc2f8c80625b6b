// backstitch verify: is everything that was stored still what was written?
#include "format/repository/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/cli/storage.h"
#include "src/cli/verify_boot.h"
#include "src/records/listing.h"
#include "src/records/records.h"

namespace backstitch::cli {

namespace {

using format::Finding;
using format::VerifyResult;
using nlohmann::json;

// What to check: a whole domain (number 0), or one point of it.
struct Target {
  format::Domain domain;
  uint32_t number = 0;
};

// An argument that is the name of a domain means all of it.
std::vector<Target> find_targets(const format::Repository& repository,
                                 const std::string& argument) {
  std::vector<Target> targets;
  if (argument.empty()) {
    for (const auto& domain : repository.domains()) targets.push_back({domain});
    return targets;
  }
  if (argument.find('@') == std::string::npos) {
    targets.push_back({repository.domain(argument)});
    return targets;
  }
  const auto [domain, number] = repository.resolve(argument);
  targets.push_back({domain, number});
  return targets;
}

VerifyResult verify(const Target& target, bool quick,
                    engine::Progress& progress) {
  const auto& domain = target.domain;
  // A point's share of the files it needs is only known after the walk.
  const bool known = !quick && target.number == 0;
  progress.begin(target.number == 0 ? domain.name()
                                    : point_label(domain.name(), target.number),
                 known ? used_bytes(domain.path()) : 0);
  format::VerifyOptions options;
  options.quick = quick;
  options.progress = [&, seen = uint64_t{0}](uint64_t bytes) mutable {
    engine::check_stop();
    progress.advance(bytes - seen);
    seen = bytes;
  };
  auto result = target.number == 0
                    ? format::verify_domain(domain, options)
                    : format::verify_point(domain, target.number, options);
  progress.end();
  return result;
}

// Remembered for each point that was looked at.
void record(const format::Repository& repository, const Target& target,
            bool quick, const VerifyResult& result) {
  const auto numbers =
      target.number == 0 ? target.domain.points() : std::vector{target.number};
  for (const uint32_t number : numbers) {
    const bool good =
        std::ranges::none_of(result.findings, [&](const Finding& finding) {
          // One that names no point spares none.
          return finding.points.empty() ||
                 std::ranges::find(finding.points, number) !=
                     finding.points.end();
        });
    engine::record_verification(
        repository, target.domain.name(),
        {number, quick ? "quick" : "full", format::now(), good, ""});
  }
}

json finding_json(const std::string& domain, const Finding& finding) {
  return {{"domain", domain},         {"file", finding.file},
          {"offset", finding.offset}, {"what", finding.what},
          {"disk", finding.disk},     {"begin_bytes", finding.begin},
          {"end_bytes", finding.end}, {"points", finding.points}};
}

std::string finding_line(const std::string& domain, const Finding& finding) {
  std::string line = finding.what;
  if (!finding.points.empty()) {
    line +=
        " (in " + domain + "@" + engine::number_ranges(finding.points) + ")";
  }
  return format::printable(line) + "\n";
}

std::string summary(const VerifyResult& total, bool quick) {
  const std::string checked = fmt::format(
      "{}: {}, {}{}", quick ? "structure checked" : "checked",
      count_of(total.points, "point"),
      quick ? count_of(total.pages, "page") : count_of(total.chunks, "chunk"),
      quick ? "" : ", " + format_bytes(total.bytes));
  return total.findings.empty()
             ? checked + "; no damage found\n"
             : checked + "; damage found in " +
                   count_of(total.findings.size(), "place") + "\n";
}

int run(const Globals& globals, const Values& values) {
  if (flag(values, "boot")) return run_verify_boot(globals, values);
  check_no_boot_options(values);
  const auto repository = globals.open_repository();
  const bool quick = flag(values, "quick");
  const auto progress = make_progress(globals);
  VerifyResult total;
  json findings = json::array();
  for (const auto& target : find_targets(repository, text(values, "point"))) {
    auto result = verify(target, quick, *progress);
    record(repository, target, quick, result);
    total.points += result.points;
    total.pages += result.pages;
    total.chunks += result.chunks;
    total.bytes += result.bytes;
    for (auto& finding : result.findings) {
      if (globals.json) {
        findings.push_back(finding_json(target.domain.name(), finding));
      } else {
        print(finding_line(target.domain.name(), finding));
      }
      total.findings.push_back(std::move(finding));
    }
  }
  if (globals.json) {
    print_json({{"quick", quick},
                {"points", total.points},
                {"pages", total.pages},
                {"chunks", total.chunks},
                {"bytes", total.bytes},
                {"findings", findings}});
  } else {
    print(summary(total, quick));
  }
  return total.findings.empty() ? kExitOk : kExitDamaged;
}

}  // namespace

Command verify_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()(
      "quick", po::bool_switch(),
      "structure only: manifests, maps and bounds, not the data");
  add_boot_options(options);
  return {"verify", "[POINT|DOMAIN]", "Check what is stored.",
          options,  {{"point", 1}},   run};
}

}  // namespace backstitch::cli
