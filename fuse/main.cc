#include <cstdio>

#include "format/base/error.h"
#include "format/base/exit_code.h"
#include "format/base/standard_files.h"
#include "fuse/session/serve.h"

namespace {

int run(int argc, const char* const* argv) {
  using backstitch::mount::CommandLine;
  const CommandLine line = backstitch::mount::parse_command_line(argc, argv);
  switch (line.action) {
    case CommandLine::Action::kHelp:
      std::fputs(backstitch::mount::help_text().c_str(), stdout);
      return 0;
    case CommandLine::Action::kVersion:
      std::puts("backstitchfs " BACKSTITCH_VERSION);
      return 0;
    case CommandLine::Action::kMount:
      break;
  }
  return backstitch::mount::serve(line);
}

}  // namespace

int main(int argc, char** argv) {
  backstitch::open_standard_files();
  try {
    return run(argc, argv);
  } catch (const backstitch::Error& error) {
    std::fprintf(stderr, "backstitchfs: %s\n", error.what());
    return backstitch::exit_code_of(error.kind());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "backstitchfs: %s\n", error.what());
    return backstitch::exit_code_of(backstitch::ErrorKind::kFailed);
  }
}
