// backstitch run: what the configuration file says, for some machines or all.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/machine_run.h"
#include "src/cli/output.h"
#include "src/cli/report_file.h"
#include "src/libvirt/connection.h"
#include "src/records/metrics.h"
#include "src/records/records.h"

namespace backstitch::cli {

namespace {

using nlohmann::json;

std::vector<std::string> machine_names(const Globals& globals,
                                       const engine::Config& config,
                                       const Values& values) {
  auto names = texts(values, "domain");
  if (!names.empty()) return names;
  for (const auto& machine : config.machines) names.push_back(machine.name);
  if (config.all_domains) {
    for (const auto& name :
         engine::Connection(globals.connect).domain_names()) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  if (names.empty()) {
    throw Error(ErrorKind::kUsage,
                engine::config_path().string() +
                    " names no machine; say DOMAIN, or add [machine.NAME]");
  }
  return names;
}

std::string shell_words(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) {
    const bool plain =
        !word.empty() && word.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789-_=+./:@,") == std::string::npos;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string{c};
    line += (line.empty() ? "" : " ") + (plain ? word : quoted + "'");
  }
  return line;
}

void show_steps(const MachineRun& machine, json& list) {
  for (auto [name, command] : machine.steps()) {
    if (command[0] == "/proc/self/exe") command[0] = "backstitch";
    list.push_back(
        {{"domain", machine.name()}, {"step", name}, {"command", command}});
  }
}

int dry_run(const Globals& globals, const engine::Config& config,
            const std::vector<std::string>& names) {
  auto list = json::array();
  for (const auto& name : names)
    show_steps(MachineRun(globals, config.machine(name)), list);
  if (globals.json) {
    print_json({{"steps", list}});
    return kExitOk;
  }
  for (const auto& step : list) {
    print(format::printable(fmt::format("{}: {}",
                                        step["domain"].get<std::string>(),
                                        shell_words(step["command"]))) +
          "\n");
  }
  return kExitOk;
}

// One machine, and what is remembered of it.
int run_machine(const Globals& globals, const engine::Config& config,
                const std::string& name, json& list) {
  const auto begin = format::now();
  MachineRun machine(globals, config.machine(name));
  const int code = machine.run();
  list.push_back(machine.document());
  engine::record_run(
      globals.open_repository(), name,
      {begin, static_cast<uint64_t>((format::now() - begin).count()), code,
       machine.message()});
  if (!globals.json) {
    print(format::printable(fmt::format("{}: {}", name, machine.summary())) +
          "\n");
  }
  return code;
}

int run(const Globals& globals, const Values& values) {
  const auto config = engine::load_config(engine::config_path());
  const auto repository = globals.open_repository();
  const auto names = machine_names(globals, config, values);
  for (const auto& name : names) format::check_domain_name(name);
  if (flag(values, "dry-run")) return dry_run(globals, config, names);
  int first = kExitOk;
  auto list = json::array();
  for (const auto& name : names) {
    engine::check_stop();
    const int code = run_machine(globals, config, name, list);
    if (first == kExitOk || first == kExitWarnings)
      first = code == kExitOk ? first : code;
  }
  if (!config.metrics.empty())
    engine::write_metrics(repository, config.metrics);
  if (!config.report.empty()) write_report(repository, config.report);
  if (globals.json) print_json({{"machines", list}});
  return first;
}

}  // namespace

Command run_command() {
  Options options;
  options.add_options()("dry-run,n", boost::program_options::bool_switch(),
                        "only say what would be done");
  return {"run",   "[DOMAIN…]",      "Do what the configuration file says.",
          options, {{"domain", -1}}, run};
}

}  // namespace backstitch::cli
