#include "src/report/facts.h"

#include <algorithm>
#include <numeric>

#include "format/repository/names.h"
#include "format/sparsestream/archive.h"
#include "src/base/local_time.h"
#include "src/base/side_by_side.h"
#include "src/records/listing.h"
#include "src/report/trial_facts.h"

namespace backstitch::engine {
namespace {

using format::Domain;
using format::Time;

PointFacts point_facts(const ListedPoint& listed) {
  PointFacts point;
  point.number = listed.number;
  if (listed.error) {
    point.error = listed.error->what();
    return point;
  }
  const format::Manifest& manifest = *listed.manifest;
  point.time = manifest.time;
  point.level = manifest.level;
  point.consistency = manifest.consistency;
  point.possibly_stale = !format::why_stale(manifest).empty();
  point.duration_ms = manifest.duration_ms;
  point.virtual_bytes = virtual_bytes(manifest);
  point.changed_bytes = changed_bytes(manifest);
  point.stored_bytes = manifest.stored_bytes();
  return point;
}

// Of points that are still there; a number is not given twice.
void add_verifications(MachineFacts& machine, const DomainRecords& records) {
  for (const Verification& one : records.verifications) {
    const auto point = std::ranges::lower_bound(machine.points, one.point, {},
                                                &PointFacts::number);
    if (point != machine.points.end() && point->number == one.point)
      point->verifications.push_back(one);
  }
}

void add_deadline(MachineFacts& machine, const Schedule& schedule, Time now) {
  std::vector<Time> times;
  for (const PointFacts& point : machine.points) {
    if (point.readable()) times.push_back(point.time);
  }
  std::ranges::sort(times);
  machine.expectation = expectation_of(machine.name, schedule, times);
  if (!machine.expectation.within) return;
  if (const PointFacts* last = machine.last_point()) {
    machine.due = last->time + std::chrono::milliseconds(last->duration_ms) +
                  *machine.expectation.within;
  }
  machine.overdue = !machine.due || *machine.due < now;
}

// --- what is wrong ---

void add_problem(MachineFacts& machine, MachineState state,
                 const std::string& what) {
  machine.state = std::max(machine.state, state);
  machine.problems.push_back({state, what});
}

std::string minute(Time time) { return local_text(time, "%Y-%m-%d %H:%M"); }

// The last word on a point's bytes; null: nobody has looked.
const Verification* last_check(const PointFacts& point) {
  const Verification* last = nullptr;
  for (const Verification& one : point.verifications) {
    if (one.kind == "boot") continue;
    if (last == nullptr || last->time < one.time) last = &one;
  }
  return last;
}

std::string points_text(const std::vector<uint32_t>& numbers) {
  return (numbers.size() == 1 ? "point " : "points ") + number_ranges(numbers);
}

void judge_points(MachineFacts& machine) {
  std::vector<uint32_t> unusable;
  std::vector<uint32_t> damaged;
  std::string why;
  for (const PointFacts& point : machine.points) {
    if (!point.readable()) {
      if (unusable.empty()) why = point.error;
      unusable.push_back(point.number);
    }
    const Verification* check = last_check(point);
    if (check != nullptr && !check->good) damaged.push_back(point.number);
  }
  if (!unusable.empty()) {
    add_problem(machine, MachineState::kDamaged,
                points_text(unusable) + " cannot be used: " + why);
  }
  if (!damaged.empty()) {
    add_problem(machine, MachineState::kDamaged,
                points_text(damaged) + " found damaged by verify");
  }
}

void judge(MachineFacts& machine, Time now) {
  judge_points(machine);
  if (machine.trial && !machine.trial->verification.good) {
    add_problem(
        machine, MachineState::kNotUp,
        "it did not come up from point " +
            std::to_string(machine.trial->verification.point) +
            (machine.trial->reason.empty() ? ""
                                           : ": " + machine.trial->reason));
  }
  if (machine.overdue) {
    add_problem(
        machine, MachineState::kOverdue,
        machine.due
            ? "a point has been due since " + minute(*machine.due) + ", for " +
                  span_text(std::chrono::duration_cast<std::chrono::seconds>(
                      now - *machine.due))
            : "it has no point");
  }
  if (machine.run && !machine.run->message.empty()) {
    add_problem(machine, MachineState::kFailed,
                "the last run failed, " + minute(machine.run->time) + ": " +
                    machine.run->message);
  }
  const bool waits = machine.expectation.within.has_value();
  if (!waits) machine.state = std::max(machine.state, MachineState::kUnknown);
}

// --- all machines ---

void fill(MachineFacts& machine, const format::Repository& repository,
          const Schedule& schedule, Time now, const Domain* domain) {
  if (domain != nullptr) {
    for (const ListedPoint& listed : list_points(*domain))
      machine.points.push_back(point_facts(listed));
  }
  const DomainRecords records = load_records(repository, machine.name);
  machine.run = records.run;
  add_verifications(machine, records);
  machine.trial = trial_facts(repository.id(), machine);
  add_deadline(machine, schedule, now);
  judge(machine, now);
}

const Domain* find(const std::vector<Domain>& domains,
                   const std::string& name) {
  const auto found = std::ranges::find(domains, name, &Domain::name);
  return found == domains.end() ? nullptr : &*found;
}

}  // namespace

const char* word_of(MachineState state) {
  switch (state) {
    case MachineState::kGood:
      return "in time";
    case MachineState::kUnknown:
      return "no schedule";
    case MachineState::kFailed:
      return "run failed";
    case MachineState::kOverdue:
      return "overdue";
    case MachineState::kNotUp:
      return "did not come up";
    case MachineState::kDamaged:
      return "damaged";
  }
  return "";
}

bool MachineFacts::has(MachineState problem) const {
  return std::ranges::find(problems, problem, &Problem::state) !=
         problems.end();
}

const PointFacts* MachineFacts::last_point() const {
  const PointFacts* last = nullptr;
  for (const PointFacts& point : points) {
    if (point.readable()) last = &point;
  }
  return last;
}

const Verification* MachineFacts::last_verification() const {
  const Verification* last = nullptr;
  for (const PointFacts& point : points) {
    for (const Verification& one : point.verifications) {
      if (last == nullptr || last->time < one.time) last = &one;
    }
  }
  return last;
}

uint64_t MachineFacts::stored_bytes() const {
  return std::accumulate(points.begin(), points.end(), uint64_t{0},
                         [](uint64_t sum, const PointFacts& point) {
                           return sum + point.stored_bytes;
                         });
}

Report make_report(const format::Repository& repository,
                   const Schedule& schedule, Time now) {
  const std::vector<Domain> domains = repository.domains();
  std::vector<std::string> names;
  for (const Domain& domain : domains) names.push_back(domain.name());
  if (schedule.config) {
    for (const MachinePlan& plan : schedule.config->machines) {
      // What cannot be a machine's name, no machine has.
      format::check_domain_name(plan.name);
      if (find(domains, plan.name) == nullptr) names.push_back(plan.name);
    }
  }
  std::ranges::sort(names);
  Report report{std::filesystem::absolute(repository.path()).string(),
                repository.id(), now, std::vector<MachineFacts>(names.size())};
  side_by_side(names.size(), [&](size_t i) {
    MachineFacts& machine = report.machines[i];
    machine.name = names[i];
    fill(machine, repository, schedule, now, find(domains, names[i]));
  });
  return report;
}

}  // namespace backstitch::engine
