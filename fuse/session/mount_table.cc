#include "fuse/session/mount_table.h"

#include <fstream>
#include <sstream>

namespace backstitch::mount {
namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// Blanks and backslashes in a path stand as \ooo.
std::string unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
        is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 +
                                 (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

std::optional<std::string> mounted_type(const std::filesystem::path& path) {
  std::ifstream table("/proc/self/mountinfo");
  std::optional<std::string> type;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string where;
    fields >> skipped >> skipped >> skipped >> skipped >> where;
    if (unescape(where) != path.string()) continue;
    while (fields >> skipped && skipped != "-") {
    }
    std::string found;
    if (fields >> found) type = found;
  }
  return type;
}

}  // namespace backstitch::mount
