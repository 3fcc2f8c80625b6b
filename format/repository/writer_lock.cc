#include "format/repository/writer_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/retention.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

std::string command_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/cmdline");
  std::string command((std::istreambuf_iterator<char>(file)), {});
  while (!command.empty() && command.back() == '\0') command.pop_back();
  std::ranges::replace(command, '\0', ' ');
  return printable(command.substr(0, 200));
}

// A line of /proc/locks: "1: FLOCK ADVISORY WRITE 123 fe:00:4711 0 EOF".
std::string holder_in(const std::string& line, const std::string& inode) {
  std::istringstream fields(line);
  std::string number;
  std::string kind;
  std::string advisory;
  std::string mode;
  std::string process;
  std::string where;
  fields >> number >> kind >> advisory >> mode >> process >> where;
  return kind == "FLOCK" && where == inode ? process : "";
}

void sweep(const Domain& domain) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(domain.path(), code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPartialPrefix)) remove_tree(entry.path());
  }
  if (code) {
    throw system_error(code.value(),
                       "read directory " + domain.path().string());
  }
  try {
    if (has_unfinished_deletion(domain)) release_dead(domain);
  } catch (const Error&) {
    // What a damaged or unreadable chain still needs cannot be known, so
    // nothing of it is freed: that is for verify to report, and no reason to
    // make no backups, or not to delete what is damaged.
  } catch (const fs::filesystem_error&) {
  }
}

}  // namespace

namespace {

File open_lock(const Domain& domain) {
  if (domain.source() != nullptr) {
    throw Error(
        ErrorKind::kUnsupported,
        printable(domain.name()) + ": lies in an archive, which is only read");
  }
  return File::open(domain.path() / "lock", O_RDWR | O_CREAT);
}

}  // namespace

WriterLock::WriterLock(const Domain& domain) : file_(open_lock(domain)) {
  if (::flock(file_.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      throw system_error(errno, "lock " + file_.path().string());
    const std::string holders = lock_holders(file_);
    throw Error(ErrorKind::kBusy, printable(domain.name()) +
                                      ": another backstitch is writing" +
                                      (holders.empty() ? "" : ": " + holders));
  }
  sweep(domain);
}

std::string lock_holders(const File& file) {
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) return "";
  std::array<char, 64> inode{};
  std::snprintf(inode.data(), inode.size(), "%02x:%02x:%lu",
                major(status.st_dev), minor(status.st_dev), status.st_ino);
  std::ifstream locks("/proc/locks");
  std::string holders;
  for (std::string line; std::getline(locks, line);) {
    const std::string process = holder_in(line, inode.data());
    if (process.empty() || process == std::to_string(::getpid())) continue;
    const std::string command = command_of(process);
    holders += (holders.empty() ? "" : ", ") +
               (command.empty() ? "a process" : command) + " (process " +
               process + ")";
  }
  return holders;
}

}  // namespace backstitch::format
