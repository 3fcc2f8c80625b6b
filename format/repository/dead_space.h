// What deleted points left that no other point reaches.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "format/repository/repository.h"

namespace backstitch::format {

// One walk over the maps of the points that live meets every range of a dead
// file that is still needed, in ascending order: what lies between is free.
class DeadSpace {
 public:
  DeadSpace(Domain domain, std::vector<Manifest> dead,
            std::vector<Manifest> live);

  // Punches the free ranges; gives the bytes of storage that came back.
  // Repeating it, also after a kill, does no harm.
  uint64_t release();
  // What release() would give back.
  uint64_t measure();
  // After either: whether any byte of the point's files is needed. The highest
  // number always is: while its directory stands, nobody gets the number again.
  bool is_needed(uint32_t point) const;

 private:
  struct DeadFile;
  using Files = std::map<std::pair<uint32_t, FileKind>, DeadFile>;

  uint64_t run(bool punch);
  void walk_disk(const std::string& disk, uint32_t chain, bool punch,
                 uint64_t& freed);
  Files open_files(const std::string& disk, uint32_t chain, bool punch) const;

  const Domain domain_;
  const std::vector<Manifest> dead_;
  const std::vector<Manifest> live_;
  std::set<uint32_t> needed_;
};

}  // namespace backstitch::format
