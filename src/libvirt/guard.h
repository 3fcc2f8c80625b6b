// A process of its own that looks after a guest which must not stay as it is.
//
// Whatever becomes of this process, a guest that it froze or paused goes on,
// and one that it started paused is off again: the guard waits for a word, and
// acts when none comes.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "src/base/process.h"

namespace backstitch::engine {

// kPowerOff leaves a guest alone that is not paused any more.
enum class GuardDuty { kThaw, kResume, kPowerOff };
inline constexpr std::chrono::seconds kNoLimit{-1};

// Belongs to one thread. Let go without a word, the guard acts at once, and
// goes on trying by itself where that fails.
class Guard {
 public:
  // Returns once the guard is ready. Throws kFailed. It acts in any case after
  // `limit`.
  Guard(GuardDuty duty, const std::string& uri, const std::string& uuid,
        std::chrono::seconds limit);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard();

  // All is well: it may go.
  void dismiss();
  // It is to act now.
  void let_go() { leash_ = Fd(); }

 private:
  Fd leash_;  // closed, and the guard acts
  std::optional<Process> process_;
};

// backstitch's first argument where it is the guard; then the duty, URI, UUID,
// seconds.
inline constexpr char kGuardArgument[] = "--guard";
inline constexpr int kGuardArguments = 6;  // argc

// The guard's body: says "ready" on stdout, waits for a byte on stdin and ends;
// when stdin is closed without one, or after `limit` (negative: never), it acts
// first, and tries for as long as that fails (ten minutes).
void run_guard(const std::string& duty, const std::string& uri,
               const std::string& uuid, std::chrono::seconds limit);

}  // namespace backstitch::engine
