// Points as `list` and `prune` look at them: one that cannot be read is an
// entry too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/repository/repository.h"

namespace backstitch::engine {

// What is known of one point: its manifest, or why there is none. No lock is
// held.
struct ListedPoint {
  uint32_t number = 0;
  std::optional<format::Manifest> manifest;
  std::optional<Error> error;
};

// Nothing when the point was deleted meanwhile.
std::optional<ListedPoint> list_point(const format::Domain& domain,
                                      uint32_t number);
// All points, oldest first.
std::vector<ListedPoint> list_points(const format::Domain& domain);

uint64_t virtual_bytes(const format::Manifest& manifest);
// Of disk content that this point changed, whether stored or become zero.
uint64_t changed_bytes(const format::DiskManifest& disk);
uint64_t changed_bytes(const format::Manifest& manifest);

// "3-7, 9" of ascending numbers: a damaged chunk of a long chain is in many
// points.
std::string number_ranges(const std::vector<uint32_t>& numbers);

}  // namespace backstitch::engine
