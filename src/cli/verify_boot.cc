#include "src/cli/verify_boot.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/records/records.h"
#include "src/recovery/trial.h"
#include "src/recovery/trial_report.h"

namespace backstitch::cli {

namespace {

namespace fs = std::filesystem;
using engine::TrialRequest;
using engine::TrialResult;
using format::printable;
using nlohmann::json;

constexpr const char* kBootOptions[] = {"expect", "timeout", "report",
                                        "storage"};
constexpr int kLongest = 24 * 3600;

std::chrono::seconds parse_timeout(const std::string& word) {
  int seconds = 0;
  const auto [end, error] =
      std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (error != std::errc() || end != word.data() + word.size() || seconds < 1 ||
      seconds > kLongest) {
    throw Error(ErrorKind::kUsage,
                "--timeout " + word + ": say a number of seconds, up to a day");
  }
  return std::chrono::seconds(seconds);
}

TrialRequest parse_request(const Values& values) {
  TrialRequest request;
  request.expect = text(values, "expect");
  request.storage = text(values, "storage");
  const std::string timeout = text(values, "timeout");
  if (!timeout.empty()) request.limit = parse_timeout(timeout);
  return request;
}

// One point, or the latest of each machine.
std::vector<format::Point> find_points(const format::Repository& repository,
                                       const std::string& argument) {
  std::vector<format::Point> points;
  if (!argument.empty()) {
    const auto [domain, number] = repository.resolve(argument);
    points.push_back(domain.open_point(number));
    return points;
  }
  for (const auto& domain : repository.domains()) {
    if (domain.latest() != 0)
      points.push_back(domain.open_point(domain.latest()));
  }
  if (points.empty())
    throw Error(ErrorKind::kNotFound, "the repository has no points");
  return points;
}

void print_result(const format::Point& point, const TrialResult& result,
                  const fs::path& directory) {
  const std::string label =
      printable(point_label(point.manifest().domain, point.number()));
  std::string out =
      result.up() ? fmt::format("{} came up, {:.1f} s after its start: ", label,
                                static_cast<double>(result.wait.count()) / 1000)
                  : fmt::format("{} did not come up: ", label);
  out += printable(result.reason) + "\n";
  for (const std::string& note : result.notes)
    out += "  " + printable(note) + "\n";
  out += "  report: " + printable(directory / "report.html") + "\n";
  print(out);
}

}  // namespace

void add_boot_options(Options& options) {
  namespace po = boost::program_options;
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  options.add_options()(
      "boot", po::bool_switch(),
      "start a copy of the machine without a network, see whether it comes up, "
      "and remove it")("expect", one("REGEX"),
                       "with --boot: what one of its consoles must say")(
      "timeout", one("SECONDS"), "with --boot: how long it may take (300)")(
      "report", one("DIR"), "with --boot: where the report is written as well")(
      "storage", one("DIR"),
      "with --boot: where it writes (default: /var/lib/libvirt/images)");
}

void check_no_boot_options(const Values& values) {
  for (const char* option : kBootOptions) {
    if (!text(values, option).empty()) {
      throw Error(ErrorKind::kUsage,
                  std::string("--") + option + " only goes with --boot");
    }
  }
}

int run_verify_boot(const Globals& globals, const Values& values) {
  if (flag(values, "quick"))
    throw Error(ErrorKind::kUsage, "say --boot or --quick");
  const TrialRequest request = parse_request(values);
  const auto repository = globals.open_repository();
  const std::string argument = text(values, "point");
  const fs::path asked = text(values, "report");
  json documents = json::array();
  bool all_up = true;
  for (const auto& point : find_points(repository, argument)) {
    const TrialResult result =
        engine::try_point(repository, point, globals.connect, request);
    const auto document =
        engine::trial_document(repository, point, request, result);
    const std::string& domain = point.manifest().domain;
    fs::path directory =
        engine::trial_directory(repository.id(), domain, point.number());
    engine::save_trial(directory, document, result.screenshot);
    if (!asked.empty()) {
      directory = argument.empty() ? asked / domain : asked;
      engine::save_trial(directory, document, result.screenshot);
    }
    engine::record_verification(repository, domain,
                                {point.number(), "boot", format::now(),
                                 result.up(), directory.string()});
    all_up = all_up && result.up();
    documents.push_back(json(document));
    if (!globals.json) print_result(point, result, directory);
  }
  if (globals.json)
    print_json(argument.empty() ? json{{"machines", documents}} : documents[0]);
  return all_up ? kExitOk : kExitNotUp;
}

}  // namespace backstitch::cli
