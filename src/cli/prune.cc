// backstitch prune: delete the points that no rule keeps.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/repository/retention.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/records/listing.h"

namespace backstitch::cli {

namespace {

struct Verdict {
  uint32_t number;
  format::Time time;
  std::string reasons;  // empty: it goes

  bool kept() const { return !reasons.empty(); }
};

unsigned keep_count(const Values& values, const std::string& name) {
  if (values.count(name) == 0) return 0;
  const int count = values[name].as<int>();
  if (count < 0) {
    throw Error(ErrorKind::kUsage, "--" + name + " cannot be negative");
  }
  return static_cast<unsigned>(count);
}

format::KeepPolicy policy_of(const Values& values) {
  format::KeepPolicy policy;
  policy.last = keep_count(values, "keep-last");
  policy.daily = keep_count(values, "keep-daily");
  policy.weekly = keep_count(values, "keep-weekly");
  policy.monthly = keep_count(values, "keep-monthly");
  policy.yearly = keep_count(values, "keep-yearly");
  if (policy.empty()) {
    throw Error(ErrorKind::kUsage,
                "nothing says what to keep; give --keep-last, --keep-daily, "
                "--keep-weekly, --keep-monthly or --keep-yearly");
  }
  return policy;
}

std::vector<Verdict> judge(const format::Domain& domain,
                           const format::KeepPolicy& policy) {
  std::vector<Verdict> verdicts;
  for (const auto& point : engine::list_points(domain)) {
    // Without its time nobody can say whether it, or an older one, may go.
    if (point.error) {
      throw add_context(*point.error, "nothing deleted");
    }
    verdicts.push_back({point.number, point.manifest->time, ""});
  }
  // The rules go by time; a clock that was set back must not mix them up.
  std::stable_sort(
      verdicts.begin(), verdicts.end(),
      [](const Verdict& a, const Verdict& b) { return a.time < b.time; });
  std::vector<format::Time> times;
  times.reserve(verdicts.size());
  for (const auto& verdict : verdicts) times.push_back(verdict.time);
  const auto reasons = format::apply_policy(times, policy);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    verdicts[i].reasons = reasons[i];
  }
  return verdicts;
}

std::vector<uint32_t> to_delete(const std::vector<Verdict>& verdicts) {
  std::vector<uint32_t> numbers;
  for (const auto& verdict : verdicts) {
    if (!verdict.kept()) numbers.push_back(verdict.number);
  }
  if (!numbers.empty() && numbers.size() == verdicts.size()) {
    throw Error(ErrorKind::kFailed, "the rules keep no point; nothing deleted");
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void report_json(const format::Domain& domain,
                 const std::vector<Verdict>& verdicts, uint64_t freed,
                 bool dry_run) {
  auto points = nlohmann::json::array();
  for (const auto& verdict : verdicts) {
    points.push_back({{"point", verdict.number},
                      {"time", format::format_time(verdict.time)},
                      {"keep", verdict.kept()},
                      {"reasons", verdict.reasons}});
  }
  print_json({{"domain", domain.name()},
              {"points", points},
              {"dry_run", dry_run},
              {"freed_bytes", freed}});
}

void report_text(const std::vector<Verdict>& verdicts, size_t deleted,
                 uint64_t freed, bool dry_run) {
  Table table(
      {{"POINT", Table::Align::kRight}, {"TIME"}, {"ACTION"}, {"KEPT BY"}});
  for (const auto& verdict : verdicts) {
    table.add({std::to_string(verdict.number), local_time(verdict.time),
               verdict.kept() ? "keep" : "delete", verdict.reasons});
  }
  if (!table.empty()) print(table.to_string() + "\n");
  print(fmt::format("{}{} deleted, {} freed\n", count_of(deleted, "point"),
                    dry_run ? " would be" : "", format_bytes(freed)));
}

int run(const Globals& globals, const Values& values) {
  const auto policy = policy_of(values);
  const auto repository = globals.open_own_repository();
  const auto domain = repository.domain(text(values, "domain"));
  const bool dry_run = flag(values, "dry-run");
  // Judged under the lock: no point appears between verdict and deletion. A dry
  // run changes nothing, so it takes none (taking it sweeps).
  std::optional<format::WriterLock> lock;
  if (!dry_run) lock.emplace(domain);
  const auto verdicts = judge(domain, policy);
  const auto numbers = to_delete(verdicts);
  uint64_t freed = 0;
  if (!numbers.empty()) {
    freed = (lock ? format::delete_points(domain, numbers, *lock)
                  : format::freed_by(domain, numbers))
                .bytes;
  }
  if (globals.json) {
    report_json(domain, verdicts, freed, dry_run);
  } else {
    report_text(verdicts, numbers.size(), freed, dry_run);
  }
  return kExitOk;
}

}  // namespace

Command prune_command() {
  namespace po = boost::program_options;
  Options options;
  const auto count = [] { return po::value<int>()->value_name("N"); };
  options.add_options()("keep-last", count(), "keep the newest N points")(
      "keep-daily", count(), "keep the newest point of each of N days")(
      "keep-weekly", count(), "keep the newest point of each of N weeks")(
      "keep-monthly", count(), "keep the newest point of each of N months")(
      "keep-yearly", count(), "keep the newest point of each of N years")(
      "dry-run,n", po::bool_switch(), "only say what would be deleted");
  return {"prune",
          "DOMAIN",
          "Delete the points of a domain that no --keep rule keeps.",
          options,
          {{"domain", 1}},
          run};
}

}  // namespace backstitch::cli
