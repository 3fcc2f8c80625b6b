#include "src/cli/machine_run.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>

#include "format/base/error.h"
#include "format/base/units.h"
#include "src/base/process.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

// The newest full of the chain that goes on, or nothing.
std::optional<format::Time> last_full(const format::Repository& repository,
                                      const std::string& name) {
  std::optional<format::Time> last;
  try {
    for (const auto& point : repository.domain(name).open_points()) {
      if (point.manifest().level == format::Level::kFull)
        last = point.manifest().time;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
  }
  return last;
}

struct Ended {
  int exit_code = 0;
  std::string output;
};

// What it says on stderr goes to ours. Ends it when we are to stop.
Ended run_child(const Words& command) {
  auto child = engine::Process::start(command, "", {.share_stderr = true});
  std::optional<int> status;
  while (!(status = child.wait(std::chrono::milliseconds(200))))
    engine::check_stop();
  return {WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status),
          child.standard_output()};
}

void add_keep(Words& words, const std::string& rule, unsigned count) {
  if (count == 0) return;
  words.push_back("--keep-" + rule);
  words.push_back(std::to_string(count));
}

std::string failure_text(const Step& step, const Ended& ended,
                         const json& result) {
  const std::string because =
      result.contains("error")
          ? result["error"].value("message", "")
          : "exit status " + std::to_string(ended.exit_code);
  return step.name + ": " + because;
}

}  // namespace

MachineRun::MachineRun(const Globals& globals, const engine::MachinePlan& plan)
    : globals_(globals), plan_(plan) {}

Words MachineRun::backstitch() const {
  Words words = {"/proc/self/exe",    "--json", "-r",
                 globals_.repository, "-c",     globals_.connect};
  if (globals_.quiet) words.emplace_back("-q");
  for (int i = 0; i < globals_.verbose; ++i) words.emplace_back("-v");
  return words;
}

std::string MachineRun::level() const {
  if (plan_.level != "auto" || plan_.full_every_days == 0) return plan_.level;
  const auto last = last_full(globals_.open_repository(), plan_.name);
  const bool due =
      last && format::now() - *last >= std::chrono::days(plan_.full_every_days);
  return due ? "full" : plan_.level;
}

Words MachineRun::backup_command() const {
  Words words = backstitch();
  words.emplace_back("backup");
  if (plan_.images.empty()) {
    words.push_back(plan_.name);
  } else {
    words.insert(words.end(), {"--name", plan_.name});
    for (const auto& [disk, file] : plan_.images)
      words.insert(words.end(), {"--image", disk + "=" + file});
  }
  words.insert(words.end(), {"--level", level()});
  words.insert(words.end(), plan_.options.begin(), plan_.options.end());
  return words;
}

Words MachineRun::prune_command() const {
  Words words = backstitch();
  words.insert(words.end(), {"prune", plan_.name});
  add_keep(words, "last", plan_.keep.last);
  add_keep(words, "daily", plan_.keep.daily);
  add_keep(words, "weekly", plan_.keep.weekly);
  add_keep(words, "monthly", plan_.keep.monthly);
  add_keep(words, "yearly", plan_.keep.yearly);
  return words;
}

Words MachineRun::verify_command(const std::string& point) const {
  Words words = backstitch();
  words.insert(words.end(), {"verify", plan_.name + "@" + point});
  if (plan_.verify == "quick") words.emplace_back("--quick");
  return words;
}

Words MachineRun::hook(const std::string& command) const {
  return {"env",
          "BACKSTITCH_DOMAIN=" + plan_.name,
          "BACKSTITCH_REPOSITORY=" + globals_.repository,
          "BACKSTITCH_STATUS=" + std::to_string(exit_code_),
          "sh",
          "-c",
          command};
}

std::vector<Step> MachineRun::steps() const {
  std::vector<Step> steps;
  if (!plan_.before.empty()) steps.push_back({"before", hook(plan_.before)});
  steps.push_back({"backup", backup_command()});
  if (plan_.verify != "none")
    steps.push_back({"verify", verify_command("latest")});
  if (!plan_.keep.empty()) steps.push_back({"prune", prune_command()});
  if (!plan_.after.empty()) steps.push_back({"after", hook(plan_.after)});
  return steps;
}

// The exit code of --strict is a success with a word.
void MachineRun::run_step(const Step& step) {
  const Ended ended = run_child(step.command);
  Done done{step.name, ended.exit_code, nullptr};
  const bool is_hook = step.name == "before" || step.name == "after";
  if (is_hook) {
    if (!ended.output.empty()) done.result = {{"output", ended.output}};
  } else {
    done.result = json::parse(ended.output, nullptr, false);
    if (done.result.is_discarded()) done.result = nullptr;
  }
  done_.push_back(done);
  if (ended.exit_code == kExitOk) return;
  if (exit_code_ == kExitOk || exit_code_ == kExitWarnings)
    exit_code_ = ended.exit_code;
  if (ended.exit_code != kExitWarnings && message_.empty())
    message_ = failure_text(step, ended, done.result);
}

void MachineRun::run_steps() {
  const auto failed = [this] { return !message_.empty(); };
  if (!plan_.before.empty()) run_step({"before", hook(plan_.before)});
  if (failed()) return;
  run_step({"backup", backup_command()});
  if (failed()) return;
  const json& made = done_.back().result;
  if (plan_.verify != "none" && made.contains("point")) {
    run_step({"verify",
              verify_command(std::to_string(made["point"].get<unsigned>()))});
  }
  if (failed()) return;
  if (!plan_.keep.empty()) run_step({"prune", prune_command()});
}

int MachineRun::run() {
  run_steps();
  if (!plan_.after.empty()) run_step({"after", hook(plan_.after)});
  return exit_code_;
}

json MachineRun::document() const {
  auto steps = json::array();
  for (const Done& done : done_) {
    steps.push_back({{"step", done.name},
                     {"exit_code", done.exit_code},
                     {"result", done.result}});
  }
  return {{"domain", plan_.name},
          {"exit_code", exit_code_},
          {"message", message_},
          {"steps", steps}};
}

std::string MachineRun::summary() const {
  if (!message_.empty()) return "failed: " + message_;
  std::string text;
  for (const Done& done : done_) {
    const json& result = done.result;
    const std::string joint = text.empty() ? "" : "; ";
    if (done.name == "backup" && result.contains("point")) {
      text += fmt::format(
          "{}made point {} ({}, {} stored)", joint,
          result["point"].get<unsigned>(), result.value("level", ""),
          format_bytes(result.value("stored_bytes", uint64_t{0})));
    } else if (done.name == "backup") {
      text += joint + "skipped, too little has changed";
    } else if (done.name == "verify") {
      text += joint + "verified";
    } else if (done.name == "prune") {
      const auto gone = std::ranges::count_if(
          result.value("points", json::array()),
          [](const json& point) { return !point.value("keep", true); });
      if (gone > 0)
        text +=
            joint + count_of(static_cast<uint64_t>(gone), "point") + " deleted";
    }
  }
  return exit_code_ == kExitWarnings ? text + "; with warnings" : text;
}

}  // namespace backstitch::cli
