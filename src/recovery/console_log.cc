#include "src/recovery/console_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

namespace backstitch::engine {
namespace {

using nlohmann::json;

// No console is wider; a longer line is cut, so that nothing grows.
constexpr size_t kLongestLine = 4096;
constexpr size_t kLinesKept = 400;

// The end of the escape sequence that begins at `at` (ECMA-48): ESC [ … letter,
// ESC ] … BEL, or ESC and what follows.
size_t skip_escape(std::string_view raw, size_t at) {
  if (++at >= raw.size()) return at;
  const char kind = raw[at++];
  if (kind == '[') {
    while (at < raw.size() && (raw[at] < '@' || raw[at] > '~')) ++at;
    return at + 1;
  }
  if (kind == ']') {
    while (at < raw.size() && raw[at] != '\a' && raw[at] != '\x1b') ++at;
    return at < raw.size() && raw[at] == '\a' ? at + 1 : at;
  }
  // ESC ( B and the like choose a character set.
  return kind >= ' ' && kind <= '/' ? at + 1 : at;
}

std::string valid_utf8(const std::string& text) {
  const std::string quoted =
      json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(quoted).get<std::string>();
}

}  // namespace

std::string plain_text(std::string_view raw) {
  std::string text;
  for (size_t at = 0; at < raw.size();) {
    if (raw[at] == '\x1b') {
      at = skip_escape(raw, at);
      continue;
    }
    const auto byte = static_cast<unsigned char>(raw[at++]);
    if (byte == '\t' || (byte >= ' ' && byte != 0x7f))
      text.push_back(static_cast<char>(byte));
  }
  return valid_utf8(text);
}

bool ConsoleLog::read(const std::function<bool(const std::string&)>& look) {
  while (true) {
    if (!fd_) {
      fd_ = Fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      struct stat status {};
      if (!fd_ || ::fstat(fd_.get(), &status) != 0) return false;
      inode_ = status.st_ino;
    }
    struct stat now {};
    const bool replaced =
        ::stat(path_.c_str(), &now) != 0 || now.st_ino != inode_;
    if (read_open_file(look)) return true;
    if (!replaced) return false;
    // Nothing is added to it any more, and all of it was read.
    fd_ = Fd();
  }
}

bool ConsoleLog::read_open_file(
    const std::function<bool(const std::string&)>& look) {
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got <= 0) return false;
    if (take({buffer.data(), static_cast<size_t>(got)}, look)) return true;
  }
}

bool ConsoleLog::take(std::string_view bytes,
                      const std::function<bool(const std::string&)>& look) {
  bool found = false;
  for (const char byte : bytes) {
    if (byte != '\n' && line_.size() < kLongestLine) {
      line_.push_back(byte);
      continue;
    }
    end_line();
    found = found || look(lines_.back());
    if (byte != '\n') line_.push_back(byte);
  }
  return found || (!line_.empty() && look(plain_text(line_)));
}

void ConsoleLog::end_line() {
  lines_.push_back(plain_text(line_));
  line_.clear();
  if (lines_.size() > kLinesKept) lines_.pop_front();
}

std::string ConsoleLog::tail() const {
  std::string text;
  for (const std::string& line : lines_) text += line + "\n";
  return line_.empty() ? text : text + plain_text(line_) + "\n";
}

}  // namespace backstitch::engine
