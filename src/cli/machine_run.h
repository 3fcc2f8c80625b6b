// What `backstitch run` does for one machine: other commands of backstitch, one
// after the other, as a person would type them.
#pragma once

#include <nlohmann/json.hpp>

#include "src/cli/command.h"
#include "src/config/config.h"

namespace backstitch::cli {

struct Step {
  std::string name;  // "before", "backup", "verify", "prune", "after"
  std::vector<std::string> command;
};

// A step's command is complete once the ones before it are done.
class MachineRun {
 public:
  MachineRun(const Globals& globals, const engine::MachinePlan& plan);

  // What would be done, the point's number not being known yet.
  std::vector<Step> steps() const;
  // Does it. A step that fails is the last, but for "after". Gives the exit
  // code of the first failure. An interruption is thrown.
  int run();

  const std::string& name() const { return plan_.name; }
  const std::string& message() const { return message_; }
  nlohmann::json document() const;
  // "made point 7 (incremental, 1.20 GiB stored); 2 points deleted".
  std::string summary() const;

 private:
  struct Done {
    std::string name;
    int exit_code = 0;
    nlohmann::json result;
  };

  std::vector<std::string> backstitch() const;
  std::vector<std::string> backup_command() const;
  std::vector<std::string> prune_command() const;
  std::vector<std::string> verify_command(const std::string& point) const;
  std::vector<std::string> hook(const std::string& command) const;
  std::string level() const;
  void run_step(const Step& step);
  void run_steps();

  const Globals& globals_;
  const engine::MachinePlan plan_;
  std::vector<Done> done_;
  int exit_code_ = 0;
  std::string message_;
};

}  // namespace backstitch::cli
