#include "fuse/session/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>

#include "format/base/error.h"
#include "fuse/operations/driver.h"

namespace backstitch::mount {
namespace {

constexpr const char* kProgram = "backstitchfs";
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e %l: %v";

spdlog::level::level_enum level_of(fuse_log_level level) {
  if (level <= FUSE_LOG_ERR) return spdlog::level::err;
  if (level <= FUSE_LOG_WARNING) return spdlog::level::warn;
  return spdlog::level::debug;
}

void log_from_libfuse(fuse_log_level level, const char* format,
                      va_list arguments) {
  std::array<char, 1024> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string line = text.data();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  spdlog::log(level_of(level), "{}", line);
}

spdlog::sink_ptr make_sink(const CommandLine& line) {
  if (!line.mount.log_file.empty()) {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(
        line.mount.log_file);
  }
  if (line.foreground) return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  return std::make_shared<spdlog::sinks::syslog_sink_mt>(kProgram, LOG_PID,
                                                         LOG_DAEMON, true);
}

}  // namespace

void start_log(const CommandLine& line) {
  try {
    // A reader that tries a damaged place again and again, as the kernel does
    // by itself, must not fill the log.
    const auto filter = std::make_shared<spdlog::sinks::dup_filter_sink_mt>(
        std::chrono::seconds(5));
    filter->add_sink(make_sink(line));
    auto logger = std::make_shared<spdlog::logger>(kProgram, filter);
    // syslog adds its own time and level.
    const bool to_syslog = line.mount.log_file.empty() && !line.foreground;
    logger->set_pattern(to_syslog ? "%v" : kPattern);
    logger->set_level(line.verbose ? spdlog::level::debug
                                   : spdlog::level::info);
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(std::move(logger));
    fuse_set_log_func(log_from_libfuse);
  } catch (const spdlog::spdlog_ex& error) {
    throw Error(ErrorKind::kFailed, error.what());
  }
}

}  // namespace backstitch::mount
