// What there is to say about a repository: its machines, their points, and what
// is wrong.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "format/repository/repository.h"
#include "src/records/records.h"
#include "src/report/expectation.h"

namespace backstitch::engine {

struct PointFacts {
  uint32_t number = 0;
  std::string error;  // why its manifest cannot be used: then all else is empty
  format::Time time{};
  format::Level level = format::Level::kFull;
  std::string consistency;
  bool possibly_stale = false;
  uint64_t duration_ms = 0;
  uint64_t virtual_bytes = 0;
  uint64_t changed_bytes = 0;
  uint64_t stored_bytes = 0;
  std::vector<Verification> verifications;

  bool readable() const { return error.empty(); }
};

// The last `verify --boot`, with what its report says where that is there.
struct TrialFacts {
  Verification verification;
  std::string reason;
  Bytes screenshot;           // PNG
  std::string no_screenshot;  // why there is none
};

// Worst last.
enum class MachineState {
  kGood,
  kUnknown,
  kFailed,
  kOverdue,
  kNotUp,
  kDamaged
};
// "in time", "no schedule", "run failed", "overdue", "did not come up",
// "damaged".
const char* word_of(MachineState state);

struct Problem {
  MachineState state;
  std::string what;  // a sentence
};

struct MachineFacts {
  std::string name;
  std::vector<PointFacts> points;  // ascending
  Expectation expectation;
  std::optional<format::Time> due;  // of the next point
  bool overdue = false;
  std::optional<RunRecord> run;
  std::optional<TrialFacts> trial;
  MachineState state = MachineState::kGood;  // the worst
  std::vector<Problem> problems;

  bool has(MachineState problem) const;
  // The newest that can be read, or null.
  const PointFacts* last_point() const;
  // The newest of any kind, or null.
  const Verification* last_verification() const;
  uint64_t stored_bytes() const;
};

struct Report {
  std::string repository;  // path
  std::string id;
  format::Time time{};                 // when it was made
  std::vector<MachineFacts> machines;  // by name
};

// Machines that the configuration names and that have no point are among them.
// Points that cannot be read are facts; throws kInterrupted, and kFailed where
// the repository cannot be listed.
Report make_report(const format::Repository& repository,
                   const Schedule& schedule, format::Time now);

// Specified in man/backstitch.1, report.
nlohmann::ordered_json report_document(const Report& report);

// One page that needs nothing beside it.
std::string report_page(const Report& report);

}  // namespace backstitch::engine
