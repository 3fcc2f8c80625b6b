#include "src/cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "format/base/error.h"

namespace backstitch::cli {

namespace {

bool document_printed = false;

std::string local(format::Time time, const char* form) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(
      std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return "?";
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, form, &parts));
}

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
  return local(time, "%Y-%m-%d %H:%M:%S");
}

std::string local_minute(format::Time time) {
  return local(time, "%Y-%m-%d %H:%M");
}

std::string count_of(uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace backstitch::cli
