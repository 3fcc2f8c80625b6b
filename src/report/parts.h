// The parts of the page, as HTML.
#pragma once

#include <string>

#include "src/report/facts.h"

namespace backstitch::engine {

// A word with a colour.
std::string chip(MachineState state);
// "2026-11-22 02:05", readable by programs as well.
std::string moment(format::Time time);
// "5 h ago"; "just now" for what is to come.
std::string ago(format::Time time, format::Time now);
// The points with their levels named and counted, as the key of a drawing.
std::string level_key(const MachineFacts& machine);
// "full check of point 7 good".
std::string verification_text(const Verification& verification);

// A row a machine; `order` are indexes into the report's machines, each of
// which links to the part called m1, m2, … by its index.
std::string overview_part(const Report& report,
                          const std::vector<size_t>& order);

struct MachinePart {
  size_t index = 0;
  // What its screenshot may take up.
  size_t picture_bytes = 0;
};
std::string machine_part(const MachineFacts& machine, const MachinePart& part,
                         format::Time now);

}  // namespace backstitch::engine
