#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "format/base/error.h"
#include "format/base/units.h"
#include "src/base/html.h"
#include "src/base/local_time.h"
#include "src/report/charts.h"
#include "src/report/parts.h"
#include "src/report/picture.h"

namespace backstitch::engine {
namespace {

using format::Time;
using std::chrono::seconds;

// A page of many machines must stay small; --json has all.
constexpr size_t kRows = 50;

std::string day(Time time) { return local_text(time, "%Y-%m-%d"); }

seconds seconds_of(uint64_t milliseconds) {
  return seconds((milliseconds + 500) / 1000);
}

// --- facts ---

class Facts {
 public:
  // `value` is HTML.
  void add(const char* name, const std::string& value) {
    out_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, value);
  }
  std::string html() const { return "<dl>\n" + out_ + "</dl>\n"; }

 private:
  std::string out_;
};

std::string expected_text(const MachineFacts& machine) {
  const Expectation& expectation = machine.expectation;
  if (!expectation.within) {
    return expectation.source == "never"
               ? "no point, as asked"
               : "unknown: too few points tell, and nothing is configured";
  }
  std::string text = "a point within " + span_text(*expectation.within);
  if (expectation.source == "points") text += ", as so far";
  if (machine.due) text += ": by " + moment(*machine.due);
  return text;
}

void add_last_point(Facts& facts, const MachineFacts& machine, Time now) {
  const PointFacts* last = machine.last_point();
  if (last == nullptr) return facts.add("Last point", "none");
  std::string text = fmt::format("{} ({}), number {}, {}, {}",
                                 moment(last->time), ago(last->time, now),
                                 last->number, format::to_string(last->level),
                                 html_escaped(last->consistency));
  if (last->duration_ms >= 1000)
    text += ", took " + span_text(seconds_of(last->duration_ms));
  if (last->possibly_stale) text += " <b class=\"warn\">possibly stale</b>";
  facts.add("Last point", text);
}

void add_verified(Facts& facts, const MachineFacts& machine, Time now) {
  std::map<std::string, const Verification*> newest;
  for (const PointFacts& point : machine.points) {
    for (const Verification& one : point.verifications) {
      const Verification*& known = newest[one.kind];
      if (known == nullptr || known->time <= one.time) known = &one;
    }
  }
  std::string text;
  for (const auto& [kind, one] : newest) {
    text += fmt::format("{}<span class=\"{}\">{}</span> ({})",
                        text.empty() ? "" : "<br>", one->good ? "good" : "bad",
                        verification_text(*one), ago(one->time, now));
  }
  facts.add("Verified",
            text.empty() ? "<span class=\"warn\">never</span>" : text);
}

std::string facts_of(const MachineFacts& machine, Time now) {
  Facts facts;
  add_last_point(facts, machine, now);
  facts.add("Expected", expected_text(machine));
  add_verified(facts, machine, now);
  if (machine.run) {
    facts.add("Last run",
              fmt::format("{}, {}", moment(machine.run->time),
                          machine.run->message.empty()
                              ? "<span class=\"good\">good</span>"
                              : "<span class=\"bad\">failed</span>"));
  }
  if (const PointFacts* last = machine.last_point()) {
    facts.add("Sizes", fmt::format("{} of disks, {} stored in all points",
                                   format_bytes(last->virtual_bytes),
                                   format_bytes(machine.stored_bytes())));
  }
  return facts.html();
}

// --- drawings ---

std::string screen(const TrialFacts& trial, size_t picture_bytes) {
  const std::string words = fmt::format(
      "<figcaption><span class=\"{}\">{}</span>, {}{}</figcaption>",
      trial.verification.good ? "good" : "bad",
      verification_text(trial.verification), moment(trial.verification.time),
      trial.reason.empty() ? "" : ": " + html_escaped(trial.reason));
  std::string image;
  try {
    if (!trial.screenshot.empty()) {
      const Picture picture = small_picture(trial.screenshot, picture_bytes);
      image = fmt::format(
          "<img alt=\"The machine's screen\" width=\"{}\" height=\"{}\" "
          "src=\"{}\">",
          picture.width, picture.height, png_url(picture.png));
    } else if (!trial.no_screenshot.empty()) {
      image = "<p class=\"muted\">no screenshot: " +
              html_escaped(trial.no_screenshot) + "</p>";
    }
  } catch (const Error& error) {
    image = "<p class=\"muted\">" + html_escaped(error.what()) + "</p>";
  }
  return "<figure class=\"screen\">" + image + words + "</figure>\n";
}

// Below the first `part` of a drawing.
std::string axis(const std::vector<std::string>& marks, double part = 1) {
  std::string out =
      fmt::format("<div class=\"axis\" style=\"width:{:.1f}%\">", 100 * part);
  for (size_t i = 0; i < marks.size(); ++i) {
    const bool is_middle = i > 0 && i + 1 < marks.size();
    out += fmt::format("<span{}>{}</span>",
                       is_middle ? " class=\"middle\"" : "", marks[i]);
  }
  return out + "</div>";
}

std::string timeline(const MachineFacts& machine,
                     const std::vector<const PointFacts*>& points, Time now) {
  Time first = points.front()->time;
  for (const PointFacts* point : points) first = std::min(first, point->time);
  return fmt::format(
      "<figure class=\"time\"><figcaption><b>Points</b>{}</figcaption>{}{}"
      "</figure>\n",
      level_key(machine), timeline_svg(machine, now),
      axis({day(first), "now, " + day(now)}));
}

std::string sizes(const MachineFacts& machine,
                  const std::vector<const PointFacts*>& points) {
  const SizeScale scale(machine);
  std::string labels;
  for (const uint64_t bytes : scale.lines()) {
    labels += fmt::format("<span style=\"bottom:{:.1f}%\">{}</span>",
                          100 * scale.height(bytes), format_bytes(bytes));
  }
  const auto mark = [](const PointFacts& point) {
    return fmt::format("#{}, {}", point.number, day(point.time));
  };
  std::vector<std::string> marks = {mark(*points.front())};
  if (points.size() > 2) marks.push_back(mark(*points[points.size() / 2]));
  if (points.size() > 1) marks.push_back(mark(*points.back()));
  const size_t count = machine.points.size();
  const double part = static_cast<double>(count) /
                      static_cast<double>(std::max(count, slots_of(count)));
  return fmt::format(
      "<figure><figcaption><b>Sizes</b><span class=\"key changed\">changed"
      "</span><span class=\"key stored\">stored</span><span>one bar a point, "
      "logarithmic</span></figcaption><div class=\"plot\">{}{}</div>{}"
      "</figure>\n",
      sizes_svg(machine, scale), labels, axis(marks, part));
}

// --- the table ---

std::string marks_of(const PointFacts& point) {
  std::string text = html_escaped(point.consistency);
  if (point.possibly_stale) text += ", <b class=\"warn\">possibly stale</b>";
  for (const Verification& one : point.verifications) {
    text += fmt::format(", <span class=\"{}\">{} {}</span>",
                        one.good ? "good" : "bad", html_escaped(one.kind),
                        one.good ? "good" : "bad");
  }
  return text;
}

std::string point_row(const PointFacts& point) {
  if (!point.readable()) {
    return fmt::format(
        "<tr><td class=\"n\">{}<td colspan=\"5\" class=\"bad\">cannot be "
        "used\n",
        point.number);
  }
  return fmt::format(
      "<tr><td class=\"n\">{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}"
      "<td class=\"wide\">{}\n",
      point.number, local_text(point.time, "%Y-%m-%d %H:%M"),
      format::to_string(point.level), format_bytes(point.changed_bytes),
      format_bytes(point.stored_bytes), marks_of(point));
}

std::string table(const MachineFacts& machine) {
  const size_t count = machine.points.size();
  const size_t shown = std::min(count, kRows);
  std::string out = fmt::format(
      "<details><summary>{}</summary><table class=\"points\"><thead><tr>"
      "<th class=\"n\">#</th><th>Time</th><th>Level</th><th class=\"n\">Changed"
      "</th><th class=\"n\">Stored</th><th class=\"wide\">State</th></tr>"
      "</thead><tbody>\n",
      shown < count ? fmt::format("The newest {} of {} points", shown, count)
                    : fmt::format("{} point{}", count, count == 1 ? "" : "s"));
  for (size_t i = 0; i < shown; ++i)
    out += point_row(machine.points[count - 1 - i]);
  return out + "</tbody></table></details>\n";
}

}  // namespace

std::string machine_part(const MachineFacts& machine, const MachinePart& part,
                         Time now) {
  std::string out =
      fmt::format("<section id=\"m{}\"><h2>{}{}</h2>\n", part.index + 1,
                  html_name(machine.name), chip(machine.state));
  if (!machine.problems.empty()) {
    out += "<ul class=\"problems\">";
    for (const Problem& problem : machine.problems)
      out += "<li>" + html_escaped(problem.what) + "</li>";
    out += "</ul>\n";
  }
  std::vector<const PointFacts*> readable;
  for (const PointFacts& point : machine.points) {
    if (point.readable()) readable.push_back(&point);
  }
  out += "<div class=\"cols\"><div>" + facts_of(machine, now);
  if (!readable.empty()) out += timeline(machine, readable, now);
  out += "</div>";
  if (machine.trial) out += screen(*machine.trial, part.picture_bytes);
  out += "</div>\n";
  if (!readable.empty()) out += sizes(machine, readable);
  if (!machine.points.empty()) out += table(machine);
  return out + "</section>\n";
}

}  // namespace backstitch::engine
