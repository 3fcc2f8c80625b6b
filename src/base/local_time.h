// Times as people read them.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "format/repository/manifest.h"

namespace backstitch::engine {

// In local time, by strftime(3). "?" where that cannot be said.
std::string local_text(format::Time time, const char* form);

// Days since 1970-01-01 of the local date.
int local_day(format::Time time);

// "26h", "90m", "3d", "2w"; at most ten years. Nothing when it is none.
std::optional<std::chrono::seconds> parse_span(const std::string& text);

// "5 min", "3.5 h", "12 days", rounded.
std::string span_text(std::chrono::seconds span);

}  // namespace backstitch::engine
