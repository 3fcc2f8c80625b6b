// The part of verify that walks: one disk of one chain.
#pragma once

#include "format/repository/verify.h"

namespace backstitch::format {

// The points of a chain that have a disk: refs never leave it.
struct Island {
  struct Files {
    uint32_t point = 0;
    PointId id{};
    uint64_t map_length = 0;
    uint64_t data_length = 0;
    bool live = true;  // false: what a deleted point left
  };
  struct Map {
    uint32_t point = 0;
    MapRoot map;
  };
  std::string disk;
  std::vector<Files> files;
  std::vector<Map> maps;
  // Every manifest of the chain is known: what no map reaches must be zero.
  bool complete = true;
  // What deleted points left was freed: what no map reaches there is zero, too.
  bool freed = true;
};

// Adds what it finds and counts to `result`.
void verify_island(const Domain& domain, const Island& island,
                   const VerifyOptions& options, VerifyResult& result);

}  // namespace backstitch::format
