// Deleting points, and deciding which.
#pragma once

#include <cstdint>
#include <vector>

#include "format/repository/writer_lock.h"

namespace backstitch::format {

struct KeepPolicy {
  unsigned last = 0;
  unsigned daily = 0;
  unsigned weekly = 0;
  unsigned monthly = 0;
  unsigned yearly = 0;
  bool empty() const { return last + daily + weekly + monthly + yearly == 0; }
};

// Whether each of `times` (ascending) is kept, and by which rules ("last",
// "daily", ...; empty: not kept). The newest point of each of the newest N
// days, ISO weeks, months, years in local time that have one.
std::vector<std::string> apply_policy(const std::vector<Time>& times,
                                      const KeepPolicy& policy);

struct Freed {
  uint64_t bytes = 0;  // of storage, given back (dry run: would be)
};

// Deletes points and frees what no other point reaches. The lock shows that no
// other writer is at work. Throws kBusy, having deleted nothing, when a reader
// holds one of them; says who. After a failure or a kill in the middle, each
// point is whole or gone, and the next writer frees the rest.
Freed delete_points(const Domain& domain, const std::vector<uint32_t>& points,
                    const WriterLock& lock);
// What delete_points would give back; changes nothing.
Freed freed_by(const Domain& domain, const std::vector<uint32_t>& points);

// Whether a deletion was committed but its space not yet given back.
bool has_unfinished_deletion(const Domain& domain);

// Frees what no point reaches in the files of deleted points; called by
// WriterLock for what an unfinished run left. A chain whose maps cannot be read
// keeps all it has, and is the failure that is thrown once the others are done.
uint64_t release_dead(const Domain& domain);

}  // namespace backstitch::format
