#include "fuse/session/mount_point.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "format/base/error.h"
#include "format/base/file.h"
#include "fuse/session/mount_table.h"

namespace backstitch::mount {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelper = "fusermount3";

bool find_helper() {
  if (::access("/usr/bin/fusermount3", X_OK) == 0) return true;
  const char* path = ::getenv("PATH");
  std::string directories = path != nullptr ? path : "";
  for (size_t begin = 0; begin < directories.size();) {
    const size_t end =
        std::min(directories.find(':', begin), directories.size());
    const fs::path file =
        fs::path(directories.substr(begin, end - begin)) / kHelper;
    if (::access(file.c_str(), X_OK) == 0) return true;
    begin = end + 1;
  }
  return false;
}

bool users_may_allow_other() {
  std::ifstream file("/etc/fuse.conf");
  for (std::string line; std::getline(file, line);) {
    line.erase(line.find_last_not_of(" \t") + 1);
    if (line == "user_allow_other") return true;
  }
  return false;
}

// Lets go of a mount whose driver is gone. As a plain user only the helper may.
void detach(const fs::path& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return;
  std::string program = kHelper;
  std::string options = "-uz";
  std::string target = path.string();
  std::array<char*, 4> arguments = {program.data(), options.data(),
                                    target.data(), nullptr};
  pid_t child = 0;
  if (::posix_spawnp(&child, kHelper, nullptr, nullptr, arguments.data(),
                     environ) == 0) {
    int status = 0;
    ::waitpid(child, &status, 0);
  }
}

// The path made absolute without touching its last part, which may be a dead
// mount that answers nothing.
fs::path absolute_parent(const fs::path& path) {
  std::error_code code;
  fs::path absolute = fs::absolute(path, code).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  const fs::path parent = fs::canonical(absolute.parent_path(), code);
  return code ? absolute : parent / absolute.filename();
}

void remove_remains(const fs::path& mount_point) {
  struct stat status {};
  if (::stat(mount_point.c_str(), &status) == 0 || errno != ENOTCONN) return;
  const fs::path path = absolute_parent(mount_point);
  if (mounted_type(path) == "fuse.backstitchfs") detach(path);
  if (::stat(mount_point.c_str(), &status) == 0 || errno != ENOTCONN) return;
  throw Error(ErrorKind::kBusy,
              path.string() +
                  ": the driver of what is mounted there is gone; " +
                  "remove it with: fusermount3 -uz " + path.string());
}

bool is_inside(const fs::path& inner, const fs::path& outer) {
  const fs::path relative = inner.lexically_relative(outer);
  return !relative.empty() && *relative.begin() != "..";
}

void check_place(const fs::path& path, const fs::path& repository,
                 const MountOptions& options) {
  // The driver would read the repository through its own mount and wait for
  // itself forever, or would show its own mount point as a domain.
  if (is_inside(repository, path) || is_inside(path, repository)) {
    throw Error(ErrorKind::kUsage, path.string() + ": the mount point and " +
                                       repository.string() +
                                       " must not contain each other");
  }
  if (const auto type = mounted_type(path)) {
    throw Error(ErrorKind::kBusy, path.string() + ": is busy, a " + *type +
                                      " is mounted there already");
  }
  if (::geteuid() != 0 && ::access(path.c_str(), W_OK) != 0) {
    throw Error(ErrorKind::kFailed,
                path.string() +
                    ": you need write access to the directory to "
                    "mount on it");
  }
  std::error_code code;
  if (!options.nonempty && !fs::is_empty(path, code) && !code) {
    throw Error(ErrorKind::kBusy,
                path.string() +
                    ": the directory is not empty (-o nonempty "
                    "hides what is in it)");
  }
}

}  // namespace

void check_fuse(const MountOptions& options) {
  const Fd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) {
    const int code = errno;
    const char* hint = code == ENOENT || code == ENODEV || code == ENXIO
                           ? "; FUSE is missing on this machine, try: "
                             "modprobe fuse"
                           : "; may this user use FUSE?";
    throw Error(ErrorKind::kUnsupported,
                system_error(code, "open /dev/fuse").what() + std::string(hint),
                code);
  }
  if (::geteuid() == 0) return;
  if (!find_helper()) {
    throw Error(ErrorKind::kUnsupported,
                "fusermount3 is missing, without which only root can mount; "
                "install the package fuse3");
  }
  if (options.allow_other && !users_may_allow_other()) {
    throw Error(ErrorKind::kUnsupported,
                "-o allow_other is for root only, until user_allow_other "
                "stands in /etc/fuse.conf");
  }
}

fs::path prepare_mount_point(const fs::path& mount_point,
                             const fs::path& repository,
                             const MountOptions& options) {
  remove_remains(mount_point);
  std::error_code code;
  const fs::path path = fs::canonical(mount_point, code);
  if (code) {
    throw system_error(code.value(), "mount on " + mount_point.string());
  }
  if (!fs::is_directory(path)) {
    throw Error(ErrorKind::kUsage,
                path.string() + ": cannot mount there, it is not a directory");
  }
  check_place(path, repository, options);
  return path;
}

std::optional<format::OverlayDirectory> prepare_overlay(
    const fs::path& mount_point, const fs::path& repository,
    const MountOptions& options) {
  if (options.overlay.empty()) return {};
  std::error_code code;
  const fs::path path = fs::weakly_canonical(options.overlay, code);
  if (code) throw system_error(code.value(), "use " + options.overlay);
  for (const fs::path& other : {mount_point, repository}) {
    if (is_inside(path, other) || is_inside(other, path)) {
      throw Error(ErrorKind::kUsage, path.string() + ": the overlay and " +
                                         other.string() +
                                         " must not contain each other");
    }
  }
  return format::OverlayDirectory::open(path, true);
}

}  // namespace backstitch::mount
