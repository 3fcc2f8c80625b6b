#include "src/cli/logging.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "format/base/error.h"
#include "format/base/file.h"

namespace backstitch::cli {
namespace {

// Whether stderr is the stream that systemd named: systemd.exec(5).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat known {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &known) != 0) return false;
  return stream ==
         std::to_string(known.st_dev) + ":" + std::to_string(known.st_ino);
}

// syslog(3)'s numbers.
class Priority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const bool error = message.level >= spdlog::level::err;
    const bool warning = message.level == spdlog::level::warn;
    const bool info = message.level == spdlog::level::info;
    out.push_back(error ? '3' : warning ? '4' : info ? '6' : '7');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<Priority>();
  }
};

spdlog::sink_ptr standard_error(const Globals& globals) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  if (stderr_is_journal()) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<Priority>('*').set_pattern("<%*>%v");
    sink->set_formatter(std::move(formatter));
    return sink;
  }
  // A progress bar may stand on the line that a message is written to.
  const std::string clear = ::isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "";
  sink->set_pattern(
      clear + (globals.verbose > 0 ? "%H:%M:%S.%e %^%l%$: %v" : "%^%l%$: %v"));
  return sink;
}

spdlog::sink_ptr log_file(const std::string& path) {
  // spdlog's own failure does not say why.
  File::open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z [%P] %l: %v");
  return sink;
}

}  // namespace

void start_logging(const Globals& globals) {
  std::vector<spdlog::sink_ptr> sinks = {standard_error(globals)};
  if (!globals.log_file.empty()) sinks.push_back(log_file(globals.log_file));
  const auto logger = std::make_shared<spdlog::logger>(
      "backstitch", sinks.begin(), sinks.end());
  logger->set_level(globals.quiet          ? spdlog::level::err
                    : globals.verbose == 0 ? spdlog::level::info
                    : globals.verbose == 1 ? spdlog::level::debug
                                           : spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(logger);
}

void log_failure(const std::string& message) {
  const auto& sinks = spdlog::default_logger_raw()->sinks();
  if (sinks.size() < 2) return;
  sinks[1]->log({"backstitch", spdlog::level::err, message});
  sinks[1]->flush();
}

}  // namespace backstitch::cli
