// How old the last point of a machine may become.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "src/config/config.h"

namespace backstitch::engine {

struct Expectation {
  // After the last point was complete; nothing: nobody knows.
  std::optional<std::chrono::seconds> within;
  // Who says so: "option", "configuration", "default" (of machines that the
  // configuration names), "points" (as they came so far), "never", "unknown".
  std::string source = "unknown";
};

// What is known beside the points themselves.
struct Schedule {
  std::optional<std::chrono::seconds> overdue;  // --overdue; 0: never
  std::optional<Config> config;                 // of this repository
};

// The first that says something: the option; the configuration's key
// `overdue`; 26 hours, where the configuration names the machine or all; twice
// the usual distance of its last points, at least an hour, where there are
// three. `times` are those of its points, ascending.
Expectation expectation_of(const std::string& name, const Schedule& schedule,
                           const std::vector<format::Time>& times);

}  // namespace backstitch::engine
