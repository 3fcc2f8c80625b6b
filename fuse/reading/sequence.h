// Notices that a file is read from front to back, and says what to fetch ahead.
#pragma once

#include <cstdint>
#include <optional>

#include "format/base/synchronized.h"

namespace backstitch::mount {

struct Stretch {
  uint64_t offset = 0;
  uint64_t length = 0;
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

// One for each open file. Thread-safe; requests of one reader may arrive a
// little out of order, as they do when several are in flight.
class SequenceTracker {
 public:
  // Never asks for more than this ahead of the reader.
  static constexpr uint64_t kWindowBytes = 2 << 20;

  // Takes note of a read and returns what should be fetched now, if anything;
  // the same bytes are asked for once. May reach beyond the end of the file.
  std::optional<Stretch> observe(uint64_t offset, uint64_t length);

 private:
  struct State {
    uint64_t next = 0;       // where a sequential reader goes on
    uint64_t run_bytes = 0;  // read in sequence so far
    uint64_t asked_end = 0;  // fetched or being fetched up to here
  };
  Synchronized<State> state_;
};

}  // namespace backstitch::mount
