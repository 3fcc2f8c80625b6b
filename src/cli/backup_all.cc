#include "src/cli/backup_all.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "format/base/error.h"
#include "format/base/synchronized.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/backup_report.h"
#include "src/cli/backup_request.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {
namespace {

using nlohmann::json;

// Several at once share no bar: a line where a disk begins.
class LineProgress : public engine::Progress {
 public:
  explicit LineProgress(std::string domain) : domain_(std::move(domain)) {}
  void begin(const std::string& part, uint64_t) override {
    spdlog::info("{}: reading {}", domain_, part);
  }

 private:
  const std::string domain_;
};

struct Outcome {
  engine::DomainBackupResult result;
  std::optional<Error> failure;
};

class AllDomains {
 public:
  AllDomains(const Globals& globals, const Values& values)
      : globals_(globals),
        values_(values),
        repository_(globals.open_own_repository()),
        names_(engine::Connection(globals.connect).domain_names()),
        outcomes_(names_.size()) {}

  int run() {
    const unsigned jobs = jobs_at_once(values_);
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 1; i < jobs; ++i)
        workers.emplace_back([this, i] { work(i, true); });
      work(0, jobs > 1);
    }
    return report();
  }

 private:
  // Nothing leaves it: an exception would end the process.
  void work(unsigned worker, bool side_by_side) noexcept {
    for (size_t i = next_++; i < names_.size(); i = next_++) {
      try {
        engine::check_stop();
        outcomes_[i].result = back_up(names_[i], worker, side_by_side);
      } catch (const Error& error) {
        outcomes_[i].failure = error;
      } catch (const std::exception& error) {
        outcomes_[i].failure.emplace(ErrorKind::kFailed, error.what());
      }
    }
  }

  engine::DomainBackupResult back_up(const std::string& name, unsigned worker,
                                     bool side_by_side) {
    auto request = domain_backup_request(values_, name);
    request.server.port += worker;
    std::unique_ptr<engine::Progress> progress;
    if (side_by_side) {
      progress = std::make_unique<LineProgress>(name);
    } else {
      progress = make_progress(globals_);
    }
    return engine::backup_domain(repository_, globals_.connect, request,
                                 *progress);
  }

  int report() {
    auto list = json::array();
    int code = kExitOk;
    for (size_t i = 0; i < names_.size(); ++i) {
      const Outcome& outcome = outcomes_[i];
      if (!outcome.failure) {
        list.push_back(backup_json(outcome.result));
        if (!globals_.json) report_backup(names_[i], outcome.result);
        if (code == kExitOk && flag(values_, "strict") &&
            !outcome.result.warnings.empty()) {
          code = kExitWarnings;
        }
        continue;
      }
      const Error& error = *outcome.failure;
      spdlog::error("{}: {}", format::printable(names_[i]),
                    format::printable(error.what()));
      list.push_back(
          {{"domain", names_[i]},
           {"error",
            {{"kind", to_string(error.kind())}, {"message", error.what()}}}});
      if (code == kExitOk || code == kExitWarnings)
        code = exit_code(error.kind());
    }
    if (globals_.json) print_json({{"backups", list}});
    if (!globals_.json && names_.empty())
      print(fmt::format("there are no domains at {}\n", globals_.connect));
    return code;
  }

  const Globals& globals_;
  const Values& values_;
  const format::Repository repository_;
  const std::vector<std::string> names_;
  std::vector<Outcome> outcomes_;  // one a worker at a time
  std::atomic<size_t> next_{0};
};

}  // namespace

int backup_all(const Globals& globals, const Values& values) {
  for (const char* option : {"name", "include", "exclude"}) {
    if (values.count(option) != 0) {
      throw Error(ErrorKind::kUsage, std::string("--") + option +
                                         " is for one domain, not for --all");
    }
  }
  return AllDomains(globals, values).run();
}

}  // namespace backstitch::cli
