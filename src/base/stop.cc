#include "src/base/stop.h"

#include <atomic>
#include <csignal>

#include "format/base/error.h"

namespace backstitch::engine {

namespace {

std::atomic<int> asked{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void on_stop_signal(int number) {
  int none = 0;
  if (asked.compare_exchange_strong(none, number)) return;
  std::signal(number, SIG_DFL);
  std::raise(number);
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void check_stop() {
  if (asked != 0) throw Error(ErrorKind::kInterrupted, "interrupted");
}

int stop_signal() { return asked; }

}  // namespace backstitch::engine
