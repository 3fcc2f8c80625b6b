#include "src/cli/files/point.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"

namespace backstitch::cli {

namespace {

namespace fs = std::filesystem;

// No failure of ours.
class ClosedPipe {};

// POINT or POINT:DISK. Times have colons too: what is a point as a whole is
// one.
FilesTarget parse_head(const format::Repository& repository,
                       const std::string& head) {
  const size_t colon = head.rfind(':');
  try {
    const auto [domain, number] = repository.resolve(head);
    return {domain, number, "", "/"};
  } catch (const Error&) {
    if (colon == std::string::npos) throw;
  }
  const std::string disk = head.substr(colon + 1);
  const auto [domain, number] = repository.resolve(head.substr(0, colon));
  FilesTarget target = {domain, number, disk, "/"};
  const auto point = domain.open_point(number);
  if (point.manifest().disk(disk) != nullptr) return target;
  std::string names;
  for (const auto& one : point.manifest().disks)
    names += (names.empty() ? "" : ", ") + one.name;
  throw Error(ErrorKind::kNotFound, target.label() + " has no disk '" + disk +
                                        "'; there is: " + names);
}

std::vector<engine::GuestDisk> guest_disks(const format::Manifest& manifest,
                                           const std::string& domain,
                                           const engine::PrivateMount& mount,
                                           const std::string& only) {
  const fs::path images =
      mount.tree() / domain / format::point_name(manifest.point);
  std::vector<engine::GuestDisk> disks;
  for (const auto& disk : manifest.disks) {
    if (!only.empty() && disk.name != only) continue;
    // By a plain name: a domain's may hold what QEMU gives a meaning to.
    const fs::path link = mount.directory() / (disk.name + ".raw");
    fs::create_symlink(images / (disk.name + ".raw"), link);
    disks.push_back({disk.name, link});
  }
  if (disks.empty()) {
    throw Error(ErrorKind::kNotFound,
                point_label(domain, manifest.point) + " has no disks");
  }
  return disks;
}

// Before anything is mounted.
std::string checked_label(const FilesTarget& target) {
  engine::require_guests();
  return target.label();
}

}  // namespace

std::string FilesTarget::label() const {
  return point_label(domain.name(), number);
}

FilesTarget parse_files_target(const format::Repository& repository,
                               const std::string& text) {
  // Neither points nor disks have a slash in their names.
  const size_t slash = text.find('/');
  if (slash == std::string::npos) {
    return parse_head(repository, text.ends_with(":")
                                      ? text.substr(0, text.size() - 1)
                                      : text);
  }
  if (slash == 0 || text[slash - 1] != ':') {
    throw Error(ErrorKind::kUsage,
                text +
                    ": say POINT:PATH or POINT:DISK:PATH, with a PATH that "
                    "begins with /");
  }
  FilesTarget target = parse_head(repository, text.substr(0, slash - 1));
  target.path = text.substr(slash);
  return target;
}

std::vector<FilesTarget> parse_files_targets(
    const format::Repository& repository,
    const std::vector<std::string>& texts) {
  std::vector<FilesTarget> targets;
  for (const auto& text : texts) {
    targets.push_back(parse_files_target(repository, text));
    const auto& first = targets.front();
    const auto& last = targets.back();
    if (first.label() == last.label() && first.disk == last.disk) continue;
    throw Error(ErrorKind::kUsage, "one point at a time: " + first.label() +
                                       " and " + last.label() +
                                       " (or other disks of it) were named");
  }
  return targets;
}

void add_mount_option(Options& options) {
  namespace po = boost::program_options;
  options.add_options()(
      "mount,m", po::value<std::vector<std::string>>()->value_name("DEV[:DIR]"),
      "mount this device of the guest at DIR (default: /), and no other "
      "(repeatable)");
}

std::vector<engine::GuestMount> chosen_mounts(const Values& values) {
  std::vector<engine::GuestMount> mounts;
  for (const auto& text : texts(values, "mount")) {
    // A device may hold a colon: btrfsvol:/dev/vda2/name.
    const size_t split = text.rfind(":/");
    const bool device_only =
        split == std::string::npos || text.substr(0, split) == "btrfsvol";
    if (device_only) {
      mounts.push_back({text, "/"});
    } else {
      mounts.push_back({text.substr(0, split), text.substr(split + 1)});
    }
  }
  return mounts;
}

Status::Status(const Globals& globals, const std::string& text)
    : shown_(!globals.quiet && ::isatty(STDERR_FILENO) != 0) {
  // What cannot be shown is no failure.
  const std::string line = "\r" + text + "\033[K";
  if (shown_ && ::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

Status::~Status() {
  constexpr std::string_view kClear = "\r\033[K";
  if (shown_ && ::write(STDERR_FILENO, kClear.data(), kClear.size()) < 0)
    return;
}

FilesPoint::FilesPoint(const format::Repository& repository,
                       const FilesTarget& target)
    : label_(checked_label(target)),
      point_(target.domain.open_point(target.number)),
      mount_(fs::absolute(repository.path()), {target.label()}),
      workplace_(mount_.directory()),
      disks_(guest_disks(point_.manifest(), target.domain.name(), mount_,
                         target.disk)) {}

void FilesPoint::start(const std::vector<engine::GuestMount>& mounts,
                       bool devices_only) {
  guarded([&] {
    guest_ = engine::start_guest(disks_);
    if (devices_only) return;
    for (const auto& warning : guest_->mount(mounts))
      spdlog::warn("{}: {}", label_, format::printable(warning));
  });
}

void FilesPoint::check() const {
  const std::string words = mount_.complaints();
  if (words.empty()) return;
  throw Error(words.find("damaged") != std::string::npos ? ErrorKind::kDamaged
                                                         : ErrorKind::kFailed,
              label_ + ": not all could be read: " + words);
}

void FilesPoint::explain(const Error& error) const {
  if (error.kind() != ErrorKind::kInterrupted) check();
  throw add_context(error, label_);
}

int with_files(const Globals& globals, const Values& values,
               const format::Repository& repository, const FilesTarget& target,
               const std::function<int(engine::GuestView&)>& body) {
  const auto mounts = chosen_mounts(values);
  FilesPoint point(repository, target);
  {
    const Status status(globals, "starting the appliance …");
    point.start(mounts);
  }
  return point.guarded([&] { return body(point.guest()); });
}

void pump(int from, int to, const std::string& name) {
  std::vector<char> buffer(256 << 10);
  while (true) {
    engine::check_stop();
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(errno, "read the guest's files");
    if (got == 0) return;
    for (ssize_t done = 0; done < got;) {
      const ssize_t put =
          ::write(to, buffer.data() + done, static_cast<size_t>(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EPIPE && to == STDOUT_FILENO) throw ClosedPipe();
      if (put < 0) throw system_error(errno, "write to " + name);
      done += put;
    }
  }
}

int with_output(const std::function<int()>& body) {
  try {
    return body();
  } catch (const ClosedPipe&) {
    std::signal(SIGPIPE, SIG_DFL);
    return std::raise(SIGPIPE);
  }
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (name.empty()) return directory;
  return directory.ends_with("/") ? directory + name : directory + "/" + name;
}

}  // namespace backstitch::cli
