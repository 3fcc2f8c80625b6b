#include "src/cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "src/base/local_time.h"

namespace backstitch::cli {

namespace {

bool document_printed = false;

}  // namespace

// Unbuffered, so that no error waits for a flush that nobody looks at.
void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      throw system_error(errno, "write to standard output");
    }
  }
}

void print_json(const nlohmann::json& document) {
  document_printed = true;
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
        "\n");
}

bool json_printed() { return document_printed; }

std::string local_time(format::Time time) {
  return engine::local_text(time, "%Y-%m-%d %H:%M:%S");
}

std::string local_minute(format::Time time) {
  return engine::local_text(time, "%Y-%m-%d %H:%M");
}

std::string count_of(uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace backstitch::cli
