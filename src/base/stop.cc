#include "src/base/stop.h"

#include <csignal>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

volatile std::sig_atomic_t stop_asked = 0;

void on_stop_signal(int signal_number) {
  stop_asked = signal_number;
  // Whoever is waiting for something that never comes can still be ended.
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

void check_stop() {
  if (stop_asked == 0) return;
  throw Error(ErrorKind::kInterrupted,
              stop_asked == SIGTERM ? "interrupted by SIGTERM" : "interrupted");
}

int stop_signal() { return stop_asked; }

}  // namespace backstitch::engine
