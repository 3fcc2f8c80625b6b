#include "src/cli/files/entry.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <ctime>
#include <nlohmann/json.hpp>

namespace backstitch::cli {

namespace {

char type_letter(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return 'd';
    case S_IFLNK:
      return 'l';
    case S_IFCHR:
      return 'c';
    case S_IFBLK:
      return 'b';
    case S_IFIFO:
      return 'p';
    case S_IFSOCK:
      return 's';
    default:
      return '-';
  }
}

std::string formatted(const std::tm& parts, const char* form) {
  char text[64];
  return {text, std::strftime(text, sizeof text, form, &parts)};
}

// The guest's clock may have said anything.
std::string local_text(const engine::GuestTime& time) {
  const auto seconds = static_cast<std::time_t>(time.seconds);
  std::tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return "?";
  return formatted(parts, "%Y-%m-%d %H:%M:%S");
}

}  // namespace

std::string mode_text(mode_t mode) {
  std::string text(1, type_letter(mode));
  for (int shift = 6; shift >= 0; shift -= 3) {
    text += (mode >> shift & 4) != 0 ? 'r' : '-';
    text += (mode >> shift & 2) != 0 ? 'w' : '-';
    text += (mode >> shift & 1) != 0 ? 'x' : '-';
  }
  const auto special = [&](mode_t bit, size_t at, char with_x, char without) {
    if ((mode & bit) != 0) text[at] = text[at] == 'x' ? with_x : without;
  };
  special(S_ISUID, 3, 's', 'S');
  special(S_ISGID, 6, 's', 'S');
  special(S_ISVTX, 9, 't', 'T');
  return text;
}

std::string type_text(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    default:
      return "file";
  }
}

std::string utc_text(const engine::GuestTime& time) {
  const auto seconds = static_cast<std::time_t>(time.seconds);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "?";
  return formatted(parts, "%Y-%m-%dT%H:%M:%S") +
         fmt::format(".{:09}Z", time.nanoseconds);
}

Table long_table() {
  using Align = Table::Align;
  return Table({{"MODE"},
                {"LINKS", Align::kRight},
                {"UID", Align::kRight},
                {"GID", Align::kRight},
                {"SIZE", Align::kRight},
                {"MODIFIED"},
                {"NAME"}});
}

void add_long_row(Table& table, const engine::GuestFile& file,
                  const std::string& name) {
  const bool link = S_ISLNK(file.mode);
  table.add({mode_text(file.mode), std::to_string(file.links),
             std::to_string(file.uid), std::to_string(file.gid),
             std::to_string(file.size_bytes), local_text(file.modified),
             link ? name + " -> " + file.target : name});
}

nlohmann::json file_json(const engine::GuestFile& file,
                         const std::string& path) {
  nlohmann::json entry = {{"path", path},
                          {"type", type_text(file.mode)},
                          {"mode", fmt::format("{:04o}", file.mode & 07777)},
                          {"links", file.links},
                          {"uid", file.uid},
                          {"gid", file.gid},
                          {"size_bytes", file.size_bytes},
                          {"modified", utc_text(file.modified)}};
  if (S_ISLNK(file.mode)) entry["target"] = file.target;
  return entry;
}

}  // namespace backstitch::cli
