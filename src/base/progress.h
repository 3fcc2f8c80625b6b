// How long work is shown: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <cstdint>
#include <string>

namespace backstitch::engine {

// Thread-safe. Engines report to it and know nothing of terminals; its
// do-nothing form is this class itself.
class Progress {
 public:
  virtual ~Progress() = default;
  // A part of the work begins: "vda", of `total_bytes` (0: not known).
  virtual void begin(const std::string& part, uint64_t total_bytes) {
    static_cast<void>(part);
    static_cast<void>(total_bytes);
  }
  // So many more bytes of it are done.
  virtual void advance(uint64_t bytes) { static_cast<void>(bytes); }
  // The part is complete.
  virtual void end() {}
};

}  // namespace backstitch::engine
