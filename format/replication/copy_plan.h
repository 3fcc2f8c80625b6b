// Which points a copy of a domain lacks, and in which order they go there.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "format/repository/repository.h"

namespace backstitch::format {

struct PlannedPoint {
  uint32_t number = 0;
  uint32_t needed_by = 0;     // why it is copied, where nobody asked for it
  uint64_t stored_bytes = 0;  // of its disks' files
};

struct CopyPlan {
  std::vector<PlannedPoint>
      points;            // ascending: what one needs comes before it
  uint64_t present = 0;  // of those asked for, already there
};

// What must be copied so that `target` has all of `wanted`: those that it
// lacks, and before them the points that they were built on. `target` is null
// where it has no such domain. Changes nothing.
//
// Throws kUsage when a number is another point there than in `source`: the two
// then have histories of their own, which cannot be told apart under one name.
// Throws kDamaged when a manifest that matters cannot be read.
CopyPlan plan_copy(const Domain& source, const Domain* target,
                   const std::set<uint32_t>& wanted);

}  // namespace backstitch::format
