#include "src/base/local_time.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <map>

namespace backstitch::engine {
namespace {

using std::chrono::seconds;

constexpr int kMinute = 60;
constexpr int kHour = 60 * kMinute;
constexpr int kDay = 24 * kHour;

std::optional<std::tm> local_parts(format::Time time) {
  const std::time_t count = std::chrono::system_clock::to_time_t(
      std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  if (localtime_r(&count, &parts) == nullptr) return std::nullopt;
  return parts;
}

}  // namespace

std::string local_text(format::Time time, const char* form) {
  const auto parts = local_parts(time);
  if (!parts) return "?";
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, form, &*parts));
}

int local_day(format::Time time) {
  const auto parts = local_parts(time);
  if (!parts) return 0;
  const std::chrono::year_month_day date{
      std::chrono::year(parts->tm_year + 1900),
      std::chrono::month(static_cast<unsigned>(parts->tm_mon + 1)),
      std::chrono::day(static_cast<unsigned>(parts->tm_mday))};
  return static_cast<int>(
      std::chrono::sys_days(date).time_since_epoch().count());
}

std::optional<seconds> parse_span(const std::string& text) {
  static const std::map<std::string, int> units = {
      {"m", kMinute}, {"h", kHour}, {"d", kDay}, {"w", 7 * kDay}};
  unsigned count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const auto unit = units.find(std::string(rest, end));
  if (error != std::errc() || unit == units.end()) return std::nullopt;
  const seconds span = int64_t{count} * seconds(unit->second);
  if (span.count() == 0 || span > seconds(kDay) * 3660) return std::nullopt;
  return span;
}

std::string span_text(seconds span) {
  const auto count = static_cast<double>(span.count());
  if (count < 90) return fmt::format("{} s", span.count());
  const bool is_whole = span.count() % kHour == 0;
  if (count < 90 * kMinute && !is_whole)
    return fmt::format("{:.0f} min", count / kMinute);
  const double hours = count / kHour;
  if (hours < 10 && !is_whole) return fmt::format("{:.1f} h", hours);
  if (hours < 48) return fmt::format("{:.0f} h", hours);
  return fmt::format("{:.0f} days", count / kDay);
}

}  // namespace backstitch::engine
