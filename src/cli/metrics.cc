// backstitch metrics: figures for Prometheus's textfile collector.
#include "src/records/metrics.h"

#include <nlohmann/json.hpp>

#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const std::string output = text(values, "output");
  if (!output.empty()) {
    engine::write_metrics(repository, output);
    if (globals.json) print_json({{"output", output}});
    return kExitOk;
  }
  const std::string metrics = engine::metrics_text(repository);
  globals.json ? print_json({{"metrics", metrics}}) : print(metrics);
  return kExitOk;
}

}  // namespace

Command metrics_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("output,o",
                        po::value<std::string>()->value_name("FILE"),
                        "write them to a file, whole or not at all");
  return {"metrics", "", "Print figures for Prometheus.", options, {}, run};
}

}  // namespace backstitch::cli
