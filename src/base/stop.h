// SIGINT and SIGTERM as a question that long work asks.
#pragma once

namespace backstitch::engine {

// Installs the handlers. The first signal asks running work to stop, the second
// ends the process at once. Calls that wait are restarted, except those that
// signal(7) says never are (poll, nanosleep).
void catch_stop_signals();
// Throws kInterrupted once a stop was asked for. Thread-safe.
void check_stop();
// The signal that asked for the stop; 0 when none came.
int stop_signal();

}  // namespace backstitch::engine
