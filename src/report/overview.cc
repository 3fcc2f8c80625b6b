#include <fmt/format.h>

#include "format/base/units.h"
#include "src/base/html.h"
#include "src/report/charts.h"
#include "src/report/parts.h"

namespace backstitch::engine {
namespace {

using format::Time;

std::string verified_cell(const MachineFacts& machine, Time now) {
  const Verification* last = machine.last_verification();
  if (last == nullptr) return "<span class=\"warn\">never verified</span>";
  return fmt::format(
      "<span class=\"{}\">{} {}</span>, {}", last->good ? "good" : "bad",
      last->kind == "boot" ? "boot" : html_escaped(last->kind) + " check",
      last->good ? "good" : "bad", ago(last->time, now));
}

std::string row(const MachineFacts& machine, size_t index, Time now) {
  const PointFacts* last = machine.last_point();
  return fmt::format(
      "<tr><td class=\"name\"><a href=\"#m{}\">{}</a></td>"
      "<td class=\"state\">{}</td><td class=\"when\">{}</td>"
      "<td class=\"days\">{}</td><td class=\"n unit{}\">{}</td>"
      "<td class=\"n stored\">{}</td><td class=\"seen\">{}</td></tr>\n",
      index + 1, html_name(machine.name), chip(machine.state),
      last == nullptr ? "no point" : ago(last->time, now),
      days_svg(machine, now), machine.points.size() == 1 ? " one" : "",
      machine.points.size(), format_bytes(machine.stored_bytes()),
      verified_cell(machine, now));
}

}  // namespace

std::string overview_part(const Report& report,
                          const std::vector<size_t>& order) {
  std::string out = fmt::format(
      "<table class=\"over\"><thead><tr><th>Machine</th><th>State</th>"
      "<th>Last point</th><th>Last {} days</th><th class=\"n\">Points</th>"
      "<th class=\"n\">Stored</th><th>Verified</th></tr></thead><tbody>\n",
      kStripDays);
  for (const size_t index : order)
    out += row(report.machines[index], index, report.time);
  return out + "</tbody></table>\n";
}

}  // namespace backstitch::engine
