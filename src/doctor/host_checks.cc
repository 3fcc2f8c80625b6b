// What this host must have, whatever is backed up.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/base/state.h"
#include "src/config/config.h"
#include "src/doctor/checks.h"
#include "src/mounts/driver.h"
#include "src/mounts/mount_table.h"
#include "src/recovery/session.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream places(path != nullptr ? path : "");
  for (std::string place; std::getline(places, place, ':');) {
    if (::access((fs::path(place) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool has_line(const std::string& file, const std::string& wanted) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line == wanted) return true;
  }
  return false;
}

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

void check_programs(Findings& findings) {
  struct Needed {
    const char* program;
    const char* package;
    const char* for_what;
  };
  bool all = true;
  for (const auto& [program, package, for_what] :
       {Needed{"qemu-img", "qemu-utils", "backing up, booting and restoring"},
        Needed{"qemu-nbd", "qemu-utils", "backing up machines that are off"},
        Needed{"fusermount3", "fuse3", "mounting as a plain user"}}) {
    if (in_path(program)) continue;
    all = false;
    findings.problem("programs",
                     std::string(program) + ", needed for " + for_what +
                         ", is not installed",
                     std::string("apt-get install ") + package);
  }
  if (all)
    findings.good("programs", "qemu-img, qemu-nbd and fusermount3 are there");
}

void check_fuse(Findings& findings) {
  const Fd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) {
    const bool missing = errno == ENOENT || errno == ENXIO || errno == ENODEV;
    findings.problem(
        "fuse",
        std::string("/dev/fuse cannot be used: ") + std::strerror(errno),
        missing ? "modprobe fuse; test -c /dev/fuse || "
                  "mknod -m 666 /dev/fuse c 10 229"
                : "chmod 666 /dev/fuse");
    return;
  }
  findings.good("fuse", "/dev/fuse can be used");
  if (!has_line("/etc/fuse.conf", "user_allow_other")) {
    findings.note("fuse",
                  "plain users cannot let others (QEMU among them) read what "
                  "they mount",
                  "echo user_allow_other >>/etc/fuse.conf");
  }
}

void check_mounts(Findings& findings) {
  bool any = false;
  for (const Mount& mount : read_mounts()) {
    if (mount.type != kDriverType || tree_alive(mount.point)) continue;
    any = true;
    findings.problem("mounts", "the driver of " + mount.point + " has died",
                     "fusermount3 -uz " + shell_word(mount.point));
  }
  for (const Session& session : all_sessions()) {
    if (!session.needs_mount() || tree_alive(session.mount_point)) continue;
    any = true;
    findings.problem("mounts",
                     "the machine " + session.name +
                         " has lost the point it was booted from",
                     "backstitch boot --resume " + shell_word(session.name));
  }
  if (!any) findings.good("mounts", "every mount has its driver");
}

// Both keep QEMU from images that they do not know, and say so in their logs
// only.
void check_confinement(Findings& findings) {
  if (first_line("/sys/module/apparmor/parameters/enabled") == "Y" &&
      fs::exists("/etc/apparmor.d/abstractions/libvirt-qemu")) {
    const char* rules = "/etc/apparmor.d/local/abstractions/libvirt-qemu";
    const std::string rule =
        (state_directory() / "sessions").string() + "/** r,";
    if (has_line(rules, rule)) {
      findings.good("confinement", "AppArmor lets machines read their points");
    } else {
      findings.note(
          "confinement",
          "AppArmor may keep machines that are booted from a point from it",
          "mkdir -p /etc/apparmor.d/local/abstractions; echo " +
              shell_word(rule) + " >>" + rules);
    }
    return;
  }
  if (first_line("/sys/fs/selinux/enforce") == "1") {
    findings.note("confinement",
                  "SELinux is enforcing: machines may read FUSE mounts only if "
                  "it is told so",
                  "setsebool -P virt_use_fusefs 1");
    return;
  }
  findings.good("confinement", "neither AppArmor nor SELinux confines QEMU");
}

void check_state(Findings& findings) {
  const fs::path state = state_directory();
  std::error_code code;
  fs::path there = state;
  while (!fs::exists(there, code) && there.has_relative_path())
    there = there.parent_path();
  if (::access(there.c_str(), W_OK | X_OK) != 0) {
    findings.problem(
        "state", state.string() + " cannot be written: " + std::strerror(errno),
        "mkdir -p " + shell_word(state.string()) + " && chown " +
            std::to_string(::geteuid()) + " " + shell_word(state.string()) +
            " && chmod u+rwx " + shell_word(state.string()));
    return;
  }
  findings.good("state", state.string() + " can be written");
}

void check_config(const std::string& path, Findings& findings) {
  try {
    const Config config = load_config(path);
    if (config.machines.empty() && !config.all_domains) {
      findings.note("configuration", path + " names no machine",
                    "printf '\\nall_domains = true\\n' | cat - " +
                        shell_word(path) + " >" + shell_word(path + ".new") +
                        " && mv " + shell_word(path + ".new") + " " +
                        shell_word(path));
      return;
    }
    findings.good("configuration", path + " can be used");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) {
      findings.good("configuration", "there is no " + path);
      return;
    }
    findings.problem("configuration", error.what(),
                     "${EDITOR:-vi} " + shell_word(path));
  }
}

}  // namespace backstitch::engine
