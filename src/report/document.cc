#include "src/report/facts.h"

namespace backstitch::engine {
namespace {

using nlohmann::ordered_json;

ordered_json verification_json(const Verification& one) {
  return {{"point", one.point},
          {"kind", one.kind},
          {"time", format::format_time(one.time)},
          {"good", one.good}};
}

ordered_json point_json(const PointFacts& point) {
  if (!point.readable())
    return {{"point", point.number}, {"error", point.error}};
  auto verifications = ordered_json::array();
  for (const Verification& one : point.verifications)
    verifications.push_back(verification_json(one));
  return {{"point", point.number},
          {"time", format::format_time(point.time)},
          {"level", format::to_string(point.level)},
          {"consistency", point.consistency},
          {"possibly_stale", point.possibly_stale},
          {"duration_ms", point.duration_ms},
          {"virtual_bytes", point.virtual_bytes},
          {"changed_bytes", point.changed_bytes},
          {"stored_bytes", point.stored_bytes},
          {"verifications", verifications}};
}

ordered_json run_json(const std::optional<RunRecord>& run) {
  if (!run) return nullptr;
  return {{"time", format::format_time(run->time)},
          {"duration_ms", run->duration_ms},
          {"exit_code", run->exit_code},
          {"message", run->message}};
}

ordered_json trial_json(const std::optional<TrialFacts>& trial) {
  if (!trial) return nullptr;
  ordered_json document = verification_json(trial->verification);
  document["reason"] = trial->reason;
  document["report"] = trial->verification.report;
  return document;
}

ordered_json machine_json(const MachineFacts& machine) {
  auto points = ordered_json::array();
  for (const PointFacts& point : machine.points)
    points.push_back(point_json(point));
  auto problems = ordered_json::array();
  for (const Problem& problem : machine.problems) {
    problems.push_back(
        {{"state", word_of(problem.state)}, {"what", problem.what}});
  }
  const Verification* last = machine.last_verification();
  const Expectation& expectation = machine.expectation;
  return {
      {"name", machine.name},
      {"state", word_of(machine.state)},
      {"problems", problems},
      {"overdue", machine.overdue},
      {"due", machine.due ? ordered_json(format::format_time(*machine.due))
                          : ordered_json()},
      {"expected_s", expectation.within
                         ? ordered_json(expectation.within->count())
                         : ordered_json()},
      {"expected_by", expectation.source},
      {"stored_bytes", machine.stored_bytes()},
      {"run", run_json(machine.run)},
      {"verified", last != nullptr ? verification_json(*last) : ordered_json()},
      {"boot", trial_json(machine.trial)},
      {"points", points}};
}

}  // namespace

ordered_json report_document(const Report& report) {
  auto machines = ordered_json::array();
  auto overdue = ordered_json::array();
  for (const MachineFacts& machine : report.machines) {
    machines.push_back(machine_json(machine));
    if (machine.overdue) overdue.push_back(machine.name);
  }
  return {{"repository", report.repository},
          {"repository_id", report.id},
          {"time", format::format_time(report.time)},
          {"overdue", overdue},
          {"machines", machines}};
}

}  // namespace backstitch::engine
