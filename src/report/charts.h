// Drawings of a machine's points as inline SVG.
//
// They have no text of their own, so that they can be stretched to any width;
// colours are the page's (classes full, incremental, differential, copy, bad,
// changed, stored; see style.h).
#pragma once

#include <string>

#include "src/report/facts.h"

namespace backstitch::engine {

// Every point at its time, from the first one to `now`, full ones tallest; the
// time since a point has been due is marked.
std::string timeline_svg(const MachineFacts& machine, format::Time now);

inline constexpr int kStripDays = 30;
// A mark for each of the last days that has a point.
std::string days_svg(const MachineFacts& machine, format::Time now);

// What a chart of sizes goes up to. Its scale is logarithmic.
class SizeScale {
 public:
  explicit SizeScale(const MachineFacts& machine);

  // 0 to 1; 0 only for nothing.
  double height(uint64_t bytes) const;
  // Those of the lines MiB, GiB, … that lie within: not too many.
  std::vector<uint64_t> lines() const;

 private:
  double top_ = 0;
};

// How many points the chart of sizes has room for.
size_t slots_of(size_t points);

// Two bars a point, one over the other, points side by side.
std::string sizes_svg(const MachineFacts& machine, const SizeScale& scale);

}  // namespace backstitch::engine
