#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "format/base/units.h"
#include "src/base/html.h"
#include "src/base/local_time.h"
#include "src/base/side_by_side.h"
#include "src/report/parts.h"
#include "src/report/style.h"

namespace backstitch::engine {
namespace {

using format::Time;

// What all screenshots may take up together, and one of them.
constexpr size_t kPicturesBytes = 512 << 10;
constexpr size_t kPictureBytes = 96 << 10;

std::string count_text(size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// What is wrong comes first.
std::vector<size_t> ordered(const Report& report) {
  std::vector<size_t> order(report.machines.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    const auto rank = [&](size_t i) {
      const MachineState state = report.machines[i].state;
      return state == MachineState::kUnknown ? MachineState::kGood : state;
    };
    return rank(a) > rank(b);
  });
  return order;
}

std::string header(const Report& report) {
  size_t points = 0;
  uint64_t stored = 0;
  for (const MachineFacts& machine : report.machines) {
    points += machine.points.size();
    stored += machine.stored_bytes();
  }
  return fmt::format(
      "<h1>Backups in {}</h1>\n<p class=\"sub\">{}, {}, {} stored; as of {}"
      "</p>\n",
      html_name(report.repository),
      count_text(report.machines.size(), "machine"),
      count_text(points, "point"), format_bytes(stored),
      local_text(report.time, "%Y-%m-%d %H:%M %Z"));
}

// "Overdue: a, b, c".
std::string verdict_line(const Report& report, const std::vector<size_t>& order,
                         MachineState problem, const char* what) {
  std::string names;
  for (const size_t i : order) {
    if (!report.machines[i].has(problem)) continue;
    names += fmt::format("{}<a href=\"#m{}\">{}</a>", names.empty() ? "" : ", ",
                         i + 1, html_name(report.machines[i].name));
  }
  if (names.empty()) return "";
  return fmt::format("<p><b class=\"bad\">{}:</b> {}</p>", what, names);
}

std::string verdict(const Report& report, const std::vector<size_t>& order) {
  std::string lines;
  for (const auto& [problem, what] :
       {std::pair{MachineState::kOverdue, "Overdue"},
        {MachineState::kDamaged, "Damaged"},
        {MachineState::kNotUp, "Did not come up"},
        {MachineState::kFailed, "The last run failed"}}) {
    lines += verdict_line(report, order, problem, what);
  }
  if (!lines.empty()) return "<div class=\"verdict bad\">" + lines + "</div>\n";
  return fmt::format("<div class=\"verdict\"><p>{}</p></div>\n",
                     report.machines.empty() ? "There are no backups yet."
                                             : "Nothing is overdue, and "
                                               "nothing is known to be wrong.");
}

}  // namespace

std::string chip(MachineState state) {
  const char* colour = "bad";
  if (state == MachineState::kGood) colour = "good";
  if (state == MachineState::kUnknown) colour = "muted";
  return fmt::format("<span class=\"chip {}\">{}</span>", colour,
                     word_of(state));
}

std::string moment(Time time) {
  return fmt::format("<time datetime=\"{}\">{}</time>",
                     format::format_time(time),
                     local_text(time, "%Y-%m-%d %H:%M"));
}

std::string ago(Time time, Time now) {
  const auto span =
      std::chrono::duration_cast<std::chrono::seconds>(now - time);
  return span.count() < 60 ? "just now" : span_text(span) + " ago";
}

std::string level_key(const MachineFacts& machine) {
  using format::Level;
  std::string key;
  for (const Level level : {Level::kFull, Level::kDifferential,
                            Level::kIncremental, Level::kCopy}) {
    const auto count =
        std::ranges::count_if(machine.points, [&](const PointFacts& point) {
          return point.readable() && point.level == level;
        });
    if (count == 0) continue;
    key += fmt::format("<span class=\"key {0}\">{1} {0}</span>",
                       format::to_string(level), count);
  }
  return key;
}

std::string verification_text(const Verification& verification) {
  const std::string point = std::to_string(verification.point);
  if (verification.kind == "boot") {
    return "point " + point +
           (verification.good ? " came up" : " did not come up");
  }
  return html_escaped(verification.kind) + " check of point " + point +
         (verification.good ? " good" : " found damage");
}

std::string report_page(const Report& report) {
  const std::vector<size_t> order = ordered(report);
  std::string body = header(report) + verdict(report, order);
  if (!report.machines.empty()) body += overview_part(report, order);
  const auto pictures =
      std::ranges::count_if(report.machines, [](const MachineFacts& machine) {
        return machine.trial && !machine.trial->screenshot.empty();
      });
  const size_t share =
      kPicturesBytes / std::max<size_t>(1, static_cast<size_t>(pictures));
  std::vector<std::string> parts(order.size());
  side_by_side(order.size(), [&](size_t at) {
    const size_t i = order[at];
    parts[at] = machine_part(report.machines[i],
                             {i, std::min(share, kPictureBytes)}, report.time);
  });
  for (const std::string& part : parts) body += part;
  body += "<footer>Made by backstitch " BACKSTITCH_VERSION
          " from the repository and what this host knows of it. Times are "
          "local.</footer>\n";
  return html_page("Backups in " + report.repository, kReportStyle, body);
}

}  // namespace backstitch::engine
