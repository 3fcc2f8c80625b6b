// backstitch: the command line.
#include <sys/resource.h>

#include <clocale>
#include <csignal>
#include <cstring>
#include <iostream>
#include <new>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/base/standard_files.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/exit_code.h"
#include "src/cli/frame.h"
#include "src/cli/help.h"
#include "src/cli/logging.h"
#include "src/cli/output.h"
#include "src/libvirt/guard.h"

namespace backstitch::cli {

namespace {

// verify and deletion have two files of each point of a chain open at once: the
// usual limit of 1024 is one of habit (select(2)), not of what there is.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const std::vector<std::string>& arguments) {
  const Invocation call = parse_arguments(arguments);
  switch (call.action) {
    case Invocation::Action::kHelp:
      print(call.command == nullptr
                ? overview_help(global_options(), call.group)
                : command_help(*call.command));
      return kExitOk;
    case Invocation::Action::kVersion:
      print("backstitch " BACKSTITCH_VERSION "\n");
      return kExitOk;
    case Invocation::Action::kRun:
      break;
  }
  start_logging(call.globals);
  engine::catch_stop_signals();
  const int code = call.command->run(call.globals, call.values);
  // print() leaves nothing behind; this is for libraries that write.
  if (!std::cout.flush() || std::fflush(stdout) != 0) {
    throw Error(ErrorKind::kFailed, "cannot write to standard output");
  }
  return code;
}

// The one line about a failure, and with --json the document.
int report(ErrorKind kind, const std::string& message, bool json) {
  const std::string line = "backstitch: " + format::printable(message) + "\n";
  std::cerr << line << std::flush;
  log_failure(format::printable(message));
  if (json && !json_printed()) {
    try {
      print_json(
          {{"error", {{"kind", to_string(kind)}, {"message", message}}}});
    } catch (const Error&) {
      // stdout is what failed: the line on stderr has said so.
      return exit_code(ErrorKind::kFailed);
    }
  }
  return exit_code(kind);
}

int guarded_run(const std::vector<std::string>& arguments) {
  const bool json = wants_json(arguments);
  try {
    return run(arguments);
  } catch (const Error& error) {
    return report(error.kind(), error.what(), json);
  } catch (const std::bad_alloc&) {
    return report(ErrorKind::kFailed, "out of memory", json);
  } catch (const std::exception& error) {
    return report(ErrorKind::kFailed, error.what(), json);
  }
}

int guard(const std::string& duty, const std::string& uri,
          const std::string& uuid, const std::string& seconds) {
  try {
    engine::run_guard(duty, uri, uuid,
                      std::chrono::seconds(std::stoi(seconds)));
    return kExitOk;
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}

}  // namespace

}  // namespace backstitch::cli

int main(int argc, char** argv) {
  backstitch::open_standard_files();
  backstitch::cli::raise_file_limit();
  std::setlocale(LC_CTYPE, "");   // how wide a name is on the terminal
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write(2)
  // No command of the user's: the process that looks after a guest.
  if (argc == backstitch::engine::kGuardArguments &&
      std::strcmp(argv[1], backstitch::engine::kGuardArgument) == 0) {
    return backstitch::cli::guard(argv[2], argv[3], argv[4], argv[5]);
  }
  return backstitch::cli::guarded_run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
