// SIGINT and SIGTERM as a question that long work asks.
#pragma once

namespace backstitch::engine {

// Installs the handlers. The first signal asks running work to stop, the second
// ends the process at once.
void catch_stop_signals();
// Throws kInterrupted once a stop was asked for. Thread-safe.
void check_stop();

}  // namespace backstitch::engine
