// What a repository must have to be written to.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/repository.h"
#include "format/repository/retention.h"
#include "src/doctor/checks.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kCheck[] = "repository";
// Below this share of the file system the next full may not fit.
constexpr double kLittleSpace = 0.05;

void check_rights(const std::string& path, Findings& findings) {
  struct stat known {};
  if (::stat(path.c_str(), &known) != 0) return;
  if ((known.st_mode & 077) != 0) {
    findings.problem(kCheck,
                     "other users of this host can read the disks in " + path,
                     "chmod 700 " + shell_word(path));
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    const bool read_only = errno == EROFS;
    findings.problem(
        kCheck, path + " cannot be written: " + std::strerror(errno),
        read_only
            ? "mount -o remount,rw \"$(stat -c %m " + shell_word(path) + ")\""
            : "chown -R " + std::to_string(::geteuid()) + " " +
                  shell_word(path));
  }
}

void check_space(const std::string& path, Findings& findings) {
  std::error_code code;
  const fs::space_info space = fs::space(path, code);
  if (code || space.capacity == 0) return;
  const double share = static_cast<double>(space.available) /
                       static_cast<double>(space.capacity);
  const std::string text =
      format_bytes(space.available) + " of " + format_bytes(space.capacity);
  if (share < kLittleSpace) {
    findings.problem(
        kCheck, "only " + text + " are free in " + path,
        "backstitch -r " + shell_word(path) + " prune DOMAIN --keep-last N");
  } else {
    findings.good(kCheck, text + " are free in " + path);
  }
}

// The rules of retention go by time.
void check_clock(const format::Domain& domain, Findings& findings) {
  const uint32_t latest = domain.latest();
  if (latest == 0) return;
  const auto time = domain.open_point(latest).manifest().time;
  if (time <= format::now() + std::chrono::minutes(5)) return;
  findings.problem("clock",
                   "point " + std::to_string(latest) + " of " + domain.name() +
                       " is in the future (" + format::format_time(time) +
                       "): the clock is wrong now, or was then",
                   "timedatectl set-ntp true");
}

void check_domain(const std::string& path, const format::Domain& domain,
                  Findings& findings) {
  const std::string point = shell_word(domain.name());
  try {
    check_clock(domain, findings);
    for (const uint32_t number : domain.points()) domain.open_point(number);
    if (format::has_unfinished_deletion(domain)) {
      findings.note(kCheck,
                    "a deletion from " + domain.name() +
                        " did not come to its end: its space is not back yet",
                    "backstitch -r " + shell_word(path) + " prune " + point +
                        " --keep-last 1000000");
    }
  } catch (const Error& error) {
    findings.problem(kCheck, error.what(),
                     "backstitch -r " + shell_word(path) + " verify " + point);
  }
}

}  // namespace

void check_repository(const std::string& path, Findings& findings) {
  if (path.empty()) {
    findings.note(kCheck, "no repository was named",
                  "export BACKSTITCH_REPOSITORY=DIR");
    return;
  }
  std::optional<format::Repository> repository;
  try {
    repository = format::Repository::open(path);
  } catch (const Error& error) {
    findings.problem(kCheck, error.what(),
                     error.kind() == ErrorKind::kNotFound
                         ? "backstitch -r " + shell_word(path) + " init"
                         : "");
    return;
  }
  check_rights(path, findings);
  check_space(path, findings);
  for (const auto& domain : repository->domains())
    check_domain(path, domain, findings);
}

}  // namespace backstitch::engine
