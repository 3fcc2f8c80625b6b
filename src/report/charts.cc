#include "src/report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "format/map/ref.h"
#include "src/base/local_time.h"

namespace backstitch::engine {
namespace {

using format::Level;
using format::Time;

constexpr int kWidth = 1000;
constexpr int kTimelineHeight = 24;
constexpr int kSizesHeight = 100;
constexpr int kDayWidth = 10;
constexpr int kDayHeight = 20;

// What is tallest means most.
int height_of(Level level) {
  switch (level) {
    case Level::kFull:
      return 22;
    case Level::kCopy:
      return 19;
    case Level::kDifferential:
      return 16;
    case Level::kIncremental:
      return 11;
  }
  return 0;
}

// y grows upwards in what is drawn; a page may have thousands of marks.
std::string svg(int width, int height, const std::string& label,
                const std::string& content) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"{2}\"><g transform=\"matrix(1 0 0 -1 0 {1})\">{3}</g>"
      "</svg>",
      width, height, label, content);
}

std::string path(const std::string& name, const std::string& marks,
                 const std::string& more = "") {
  if (marks.empty()) return "";
  return fmt::format("<path class=\"{}\"{} d=\"{}\"/>", name, more, marks);
}

std::string rectangle(const std::string& name, int left, int width,
                      int height) {
  return fmt::format("<rect class=\"{}\" x=\"{}\" width=\"{}\" height=\"{}\"/>",
                     name, left, width, height);
}

// Points that cannot be read have no time.
Time first_time(const MachineFacts& machine, Time now) {
  Time first = now;
  for (const PointFacts& point : machine.points) {
    if (point.readable()) first = std::min(first, point.time);
  }
  return first;
}

std::string count_label(const MachineFacts& machine, const char* what) {
  return fmt::format("{} of {} points", what, machine.points.size());
}

}  // namespace

std::string timeline_svg(const MachineFacts& machine, Time now) {
  const Time first = first_time(machine, now);
  const auto whole = static_cast<double>(
      std::max<int64_t>(1, std::chrono::milliseconds(now - first).count()));
  const auto x = [&](Time time) {
    const auto part =
        static_cast<double>(std::chrono::milliseconds(time - first).count());
    // Those at the ends are not cut.
    constexpr int kMargin = 2;
    return std::clamp(static_cast<int>(part / whole * kWidth), kMargin,
                      kWidth - kMargin);
  };
  std::string content;
  if (machine.overdue && machine.due) {
    const int left = x(*machine.due);
    content = rectangle("late", left, kWidth - left, kTimelineHeight);
  }
  std::map<std::string, std::string> marks;
  std::map<std::string, int> drawn;
  for (const PointFacts& point : machine.points) {
    if (!point.readable()) continue;
    const std::string level = format::to_string(point.level);
    const int at = x(point.time);
    const auto [last, is_first] = drawn.emplace(level, at);
    if (!is_first && last->second == at) continue;  // would hide the other
    last->second = at;
    marks[level] += fmt::format("M{} 0v{}", at, height_of(point.level));
  }
  for (const auto& [level, path_of_level] : marks)
    content += path(level, path_of_level);
  return svg(kWidth, kTimelineHeight, count_label(machine, "Times"), content);
}

std::string days_svg(const MachineFacts& machine, Time now) {
  const int today = local_day(now);
  std::array<const PointFacts*, kStripDays> best{};
  for (const PointFacts& point : machine.points) {
    if (!point.readable()) continue;
    const int day = local_day(point.time) - today + kStripDays - 1;
    if (day < 0 || day >= kStripDays) continue;
    const PointFacts*& known = best[static_cast<size_t>(day)];
    if (known == nullptr || height_of(known->level) < height_of(point.level))
      known = &point;
  }
  std::map<std::string, std::string> marks;
  int days = 0;
  for (int day = 0; day < kStripDays; ++day) {
    const PointFacts* point = best[static_cast<size_t>(day)];
    const int height = point == nullptr ? 2 : height_of(point->level) - 3;
    marks[point == nullptr ? "none" : format::to_string(point->level)] +=
        fmt::format("M{} 0v{}", kDayWidth * day + kDayWidth / 2, height);
    if (point != nullptr) ++days;
  }
  std::string content;
  for (const auto& [level, path_of_level] : marks)
    content += path(level, path_of_level);
  return svg(kDayWidth * kStripDays, kDayHeight,
             fmt::format("Points on {} of the last {} days", days, kStripDays),
             content);
}

SizeScale::SizeScale(const MachineFacts& machine) {
  uint64_t most = 0;
  for (const PointFacts& point : machine.points)
    most = std::max({most, point.changed_bytes, point.stored_bytes});
  top_ = std::log2(static_cast<double>(std::max(most, format::kChunkBytes)));
}

// From a quarter of a chunk: less than a chunk is seldom stored.
double SizeScale::height(uint64_t bytes) const {
  if (bytes == 0) return 0;
  const double bottom = std::log2(format::kChunkBytes) - 2;
  const double part =
      (std::log2(static_cast<double>(bytes)) - bottom) / (top_ - bottom);
  return std::clamp(part, 0.02, 1.0);
}

std::vector<uint64_t> SizeScale::lines() const {
  std::vector<uint64_t> lines;
  for (int bits = 20; bits <= top_; bits += 10)
    lines.push_back(uint64_t{1} << bits);
  if (lines.size() > 3) lines.erase(lines.begin());
  return lines;
}

// Beyond that many, bars would be thinner than can be seen, and the highest of
// neighbours is drawn; few do not fill the width.
size_t slots_of(size_t points) {
  return std::clamp<size_t>(points, 12, kWidth);
}

std::string sizes_svg(const MachineFacts& machine, const SizeScale& scale) {
  struct Bars {
    int changed = 0;
    int stored = 0;
    bool gone = false;
  };
  const auto y = [&](uint64_t bytes) {
    return static_cast<int>(std::lround(kSizesHeight * scale.height(bytes)));
  };
  const size_t count = machine.points.size();
  std::vector<Bars> bars(std::min(count, slots_of(count)));
  for (size_t i = 0; i < count; ++i) {
    const PointFacts& point = machine.points[i];
    Bars& bar = bars[i * bars.size() / count];
    bar.changed = std::max(bar.changed, y(point.changed_bytes));
    bar.stored = std::max(bar.stored, y(point.stored_bytes));
    bar.gone = bar.gone || !point.readable();
  }
  const double slot = double{kWidth} / static_cast<double>(slots_of(count));
  std::string changed;
  std::string stored;
  std::string gone;
  for (size_t i = 0; i < bars.size(); ++i) {
    const double x = slot * (static_cast<double>(i) + 0.5);
    changed += fmt::format("M{:.4g} 0v{}", x, bars[i].changed);
    stored += fmt::format("M{:.4g} 0v{}", x, bars[i].stored);
    if (bars[i].gone) gone += fmt::format("M{:.4g} 0v{}", x, kSizesHeight);
  }
  std::string lines;
  for (const uint64_t bytes : scale.lines())
    lines += fmt::format("M0 {}h{}", y(bytes), kWidth);
  const auto width = [&](double part) {
    return fmt::format(" stroke-width=\"{:.3g}\"", part * slot);
  };
  return svg(kWidth, kSizesHeight, count_label(machine, "Sizes"),
             path("line", lines) + path("changed", changed, width(0.84)) +
                 path("stored", stored, width(0.5)) +
                 path("gone", gone, width(0.1)));
}

}  // namespace backstitch::engine
