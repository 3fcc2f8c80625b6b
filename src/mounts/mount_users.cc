#include "src/mounts/mount_users.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "src/mounts/mount_table.h"

namespace backstitch::engine {

namespace {

namespace fs = std::filesystem;

// /proc changes while it is read: whatever is gone again is left out.
std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator at(directory, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    paths.push_back(at->path());
  }
  return paths;
}

std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string first_line(const fs::path& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

bool inside(const std::string& path, const std::string& mount_point) {
  return path == mount_point ||
         (path.starts_with(mount_point) && path[mount_point.size()] == '/');
}

bool link_inside(const fs::path& link, const std::string& mount_point) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  return !error && inside(target.string(), mount_point);
}

// A mapping keeps a file busy after its descriptor is closed.
bool maps_inside(const fs::path& process, const std::string& mount_point) {
  std::ifstream maps(process / "maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t path = line.find('/');
    if (path != std::string::npos && inside(line.substr(path), mount_point)) {
      return true;
    }
  }
  return false;
}

bool uses(const fs::path& process, const std::string& mount_point) {
  for (const char* link : {"cwd", "root"}) {
    if (link_inside(process / link, mount_point)) return true;
  }
  for (const auto& fd : entries(process / "fd")) {
    if (link_inside(fd, mount_point)) return true;
  }
  return maps_inside(process, mount_point);
}

// A path means something else in a mount namespace where other things are
// mounted.
bool has_mounted(const fs::path& process, const std::string& device) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/ns/mnt", error);
  if (fs::read_symlink(process / "ns/mnt", error) == own) return true;
  const auto mounts = read_mounts(process.filename());
  return std::ranges::find(mounts, device, &Mount::device) != mounts.end();
}

pid_t pid_of(const fs::path& process) {
  const std::string name = process.filename().string();
  pid_t pid = 0;
  const auto [end, code] =
      std::from_chars(name.data(), name.data() + name.size(), pid);
  return code == std::errc() && end == name.data() + name.size() ? pid : 0;
}

}  // namespace

std::vector<std::string> mount_users(const std::string& mount_point) {
  std::vector<std::string> users;
  const auto tree = mount_at(mount_point);
  for (const auto& process : entries("/proc")) {
    if (pid_of(process) == 0 || !uses(process, mount_point)) continue;
    if (tree && !has_mounted(process, tree->device)) continue;
    users.push_back(first_line(process / "comm") + " (process " +
                    process.filename().string() + ")");
  }
  for (const auto& device : entries("/sys/block")) {
    const std::string file = first_line(device / "loop" / "backing_file");
    if (inside(file, mount_point)) {
      users.push_back("/dev/" + device.filename().string());
    }
  }
  for (const auto& mount : read_mounts()) {
    if (mount.point != mount_point && inside(mount.point, mount_point)) {
      users.push_back(mount.point + " (mounted on it)");
    }
  }
  return users;
}

std::vector<OtherProcess> mount_drivers(const std::string& mount_point) {
  std::vector<OtherProcess> drivers;
  for (const auto& process : entries("/proc")) {
    const pid_t pid = pid_of(process);
    if (pid == 0 || pid == ::getpid()) continue;
    const std::string program = first_line(process / "comm");
    if (program != "backstitchfs" && program != "backstitch" &&
        program != "exe")
      continue;
    const std::string line = read_all(process / "cmdline");
    const std::string serving("\0files\0mount\0", 13);
    if (program != "backstitchfs" && line.find(serving) == std::string::npos)
      continue;
    std::istringstream words(line);
    for (std::string word; std::getline(words, word, '\0');) {
      if (real_mount_point(word) != mount_point) continue;
      drivers.emplace_back(pid);
      break;
    }
  }
  return drivers;
}

}  // namespace backstitch::engine
