// backstitch report: a page about a repository.
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "src/base/replace_file.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/cli/report_file.h"
#include "src/config/config.h"
#include "src/report/facts.h"

namespace backstitch::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The configuration speaks of the repository that it names, and of no other.
std::optional<engine::Config> config_of(const format::Repository& repository) {
  auto config = engine::load_config_if_there(engine::config_path());
  std::error_code code;
  if (!config.repository.empty() &&
      !fs::equivalent(config.repository, repository.path(), code)) {
    return std::nullopt;
  }
  return config;
}

int run(const Globals& globals, const Values& values) {
  engine::Schedule schedule;
  if (const std::string word = text(values, "overdue"); !word.empty()) {
    schedule.overdue = engine::parse_patience(word);
    if (!schedule.overdue) {
      throw Error(ErrorKind::kUsage, "--overdue " + word +
                                         ": say a time like 26h or 3d, or "
                                         "never");
    }
  }
  const auto repository = globals.open_repository();
  schedule.config = config_of(repository);
  const auto report = engine::make_report(repository, schedule, format::now());
  const std::string output = text(values, "output");
  const bool to_file = !output.empty() && output != "-";
  if (to_file) engine::replace_file(output, engine::report_page(report));
  if (globals.json) {
    print_json(json(engine::report_document(report)));
  } else if (!to_file) {
    print(engine::report_page(report));
  }
  return kExitOk;
}

}  // namespace

void write_report(const format::Repository& repository, const fs::path& path) {
  const engine::Schedule schedule{std::nullopt, config_of(repository)};
  engine::replace_file(path, engine::report_page(engine::make_report(
                                 repository, schedule, format::now())));
}

Command report_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("output,o",
                        po::value<std::string>()->value_name("FILE"),
                        "where the page is written; otherwise, and with -, to "
                        "the standard output")(
      "overdue", po::value<std::string>()->value_name("TIME"),
      "how old a machine's last point may be (26h, 3d), or never");
  return {"report", "", "Make a page of machines, points and what is overdue.",
          options,  {}, run};
}

}  // namespace backstitch::cli
