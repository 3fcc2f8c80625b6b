#include "src/report/expectation.h"

#include <algorithm>

namespace backstitch::engine {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// A night, and what a timer may be late.
constexpr hours kNightly{26};
constexpr size_t kLooksBack = 10;

Expectation said(seconds within, const char* source) {
  if (within.count() == 0) return {std::nullopt, "never"};
  return {within, source};
}

// By the median: a holiday or a point by hand does not change it.
std::optional<seconds> usual_distance(const std::vector<format::Time>& times) {
  if (times.size() < 3) return std::nullopt;
  std::vector<seconds> distances;
  const size_t first =
      times.size() > kLooksBack ? times.size() - kLooksBack : 1;
  for (size_t i = first; i < times.size(); ++i) {
    distances.push_back(
        std::chrono::duration_cast<seconds>(times[i] - times[i - 1]));
  }
  const auto middle =
      distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::ranges::nth_element(distances, middle);
  return *middle;
}

}  // namespace

Expectation expectation_of(const std::string& name, const Schedule& schedule,
                           const std::vector<format::Time>& times) {
  if (schedule.overdue) return said(*schedule.overdue, "option");
  if (schedule.config) {
    const Config& config = *schedule.config;
    const auto overdue = config.machine(name).overdue;
    if (overdue) return said(*overdue, "configuration");
    const bool is_named =
        std::ranges::find(config.machines, name, &MachinePlan::name) !=
        config.machines.end();
    if (is_named || config.all_domains) return {kNightly, "default"};
  }
  const auto usual = usual_distance(times);
  if (!usual) return {};
  return {std::max<seconds>(2 * *usual, hours(1)), "points"};
}

}  // namespace backstitch::engine
