#include "src/libvirt/scratch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "format/base/units.h"
#include "src/libvirt/backup_job.h"
#include "src/libvirt/connection.h"

namespace backstitch::engine {
namespace {

constexpr std::chrono::milliseconds kLocalPause{50};
constexpr std::chrono::milliseconds kRemotePause{2000};

}  // namespace

std::string scratch_path(const std::string& directory,
                         const std::string& checkpoint_prefix,
                         const DomainDisk& disk) {
  std::filesystem::path parent = directory;
  if (parent.empty() && disk.type == "file" && !disk.path.empty())
    parent = std::filesystem::path(disk.path).parent_path();
  if (parent.empty()) parent = "/var/tmp";
  return parent / (checkpoint_prefix + disk.target + ".scratch");
}

ScratchWatch::ScratchWatch(const Host& host,
                           const std::vector<std::string>& files)
    : host_(host) {
  for (const std::string& file : files)
    directories_.push_back(std::filesystem::path(file).parent_path());
  std::ranges::sort(directories_);
  // Not ranges::unique, which clang 14 does not take.
  directories_.erase(std::unique(directories_.begin(), directories_.end()),
                     directories_.end());
  const std::string words = shortage(2 * kScratchReserve);
  if (!words.empty()) {
    throw Error(ErrorKind::kFailed,
                words + "; say --scratch DIR for another place");
  }
}

ScratchWatch::~ScratchWatch() = default;

std::string ScratchWatch::shortage(uint64_t needed) const {
  for (const std::string& directory : directories_) {
    uint64_t free = 0;
    try {
      free = host_.free_bytes(directory);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kUnsupported)
        return {};  // nobody can tell
      throw;
    }
    if (free < needed) {
      return "only " + format_bytes(free) + " are free in " + directory +
             " for what the guest overwrites during the backup (" +
             format_bytes(needed) + " are needed)";
    }
  }
  return {};
}

void ScratchWatch::guard(const std::string& uri, const std::string& uuid) {
  thread_ = std::jthread([this, uri, uuid](const std::stop_token& stop) {
    try {
      watch(stop, uri, uuid);
    } catch (const Error& error) {
      spdlog::warn("nobody watches the scratch space any more: {}",
                   error.what());
    }
  });
}

void ScratchWatch::watch(const std::stop_token& stop, const std::string& uri,
                         const std::string& uuid) {
  const auto pause = host_.local() ? kLocalPause : kRemotePause;
  while (!stop.stop_requested()) {
    const std::string words = shortage(kScratchReserve);
    std::unique_lock lock(mutex_);
    if (words.empty()) {
      wake_.wait_for(lock, stop, pause, [] { return false; });
      continue;
    }
    failure_ = words + "; ended before the guest gets write errors";
    lock.unlock();
    Connection connection(uri);
    Guest guest(connection, uuid);
    end_job(guest);
    return;
  }
}

std::string ScratchWatch::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

}  // namespace backstitch::engine
