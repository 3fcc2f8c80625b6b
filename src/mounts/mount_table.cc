#include "src/mounts/mount_table.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace backstitch::engine {

namespace {

// The kernel writes space, tab, newline and backslash as three octal digits.
std::string unescape(const std::string& text) {
  const auto octal = [&](size_t at) {
    return text[at] >= '0' && text[at] < '8';
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) &&
        octal(i + 2) && octal(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 +
                               (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::optional<Mount> parse_mount(const std::string& line) {
  // 36 35 98:0 /root /point options [optional fields] - type source options
  constexpr size_t kDeviceField = 2;
  constexpr size_t kPointField = 4;
  std::istringstream words(line);
  std::vector<std::string> fields;
  for (std::string word; words >> word && word != "-";) fields.push_back(word);
  std::string type;
  std::string source;
  if (fields.size() <= kPointField || !(words >> type >> source)) {
    return std::nullopt;
  }
  return Mount{unescape(fields[kPointField]), type, unescape(source),
               fields[kDeviceField]};
}

std::vector<Mount> read_mounts(const std::string& process) {
  std::vector<Mount> mounts;
  std::ifstream file("/proc/" + process + "/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (auto mount = parse_mount(line)) mounts.push_back(std::move(*mount));
  }
  return mounts;
}

std::optional<Mount> mount_at(const std::string& path) {
  std::optional<Mount> top;
  for (auto& mount : read_mounts()) {
    if (mount.point == path) top = std::move(mount);
  }
  return top;
}

std::string real_mount_point(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path whole = fs::absolute(path, error).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  // A symbolic link as the last part is followed; a dead mount is no link.
  if (fs::is_symlink(fs::symlink_status(whole, error))) {
    const fs::path real = fs::canonical(whole, error);
    if (!error) return real.string();
  }
  const fs::path parent = fs::canonical(whole.parent_path(), error);
  return error ? whole.string() : (parent / whole.filename()).string();
}

}  // namespace backstitch::engine
