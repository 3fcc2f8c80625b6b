// What is mounted where, from /proc/self/mountinfo: see proc(5).
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace backstitch::engine {

// Of `backstitch mount`, and of `backstitch files mount`.
inline constexpr const char* kDriverType = "fuse.backstitchfs";
inline constexpr const char* kFilesType = "fuse.backstitch-files";

struct Mount {
  std::string point;  // absolute, unescaped
  std::string type;
  std::string source;
  std::string device;  // "0:53": the same file system, wherever it is mounted
};

// A line that is none of mountinfo's gives nothing.
std::optional<Mount> parse_mount(const std::string& line);
// In the order in which they were made: later ones lie on top. `process` is a
// name in /proc: another one may live in a mount namespace of its own.
std::vector<Mount> read_mounts(const std::string& process = "self");
// What is on top at exactly `path`.
std::optional<Mount> mount_at(const std::string& path);

// Absolute and without symbolic links, except in what is mounted at its end: a
// mount whose driver has died cannot be asked.
std::string real_mount_point(const std::string& path);

}  // namespace backstitch::engine
