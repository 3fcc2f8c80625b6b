#include "src/recovery/disk_jobs.h"

#include <optional>
#include <pugixml.hpp>
#include <sstream>
#include <thread>

#include "src/base/stop.h"
#include "src/libvirt/guard.h"

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPivotPatience{20};
constexpr std::chrono::seconds kLongestPause{5};
constexpr milliseconds kLook{20};

pugi::xml_node find_disk(const pugi::xml_document& document,
                         const std::string& target) {
  const pugi::xml_node devices = document.child("domain").child("devices");
  for (const pugi::xml_node disk : devices.children("disk")) {
    if (disk.child("target").attribute("dev").as_string() == target)
      return disk;
  }
  throw Error(ErrorKind::kFailed, "the machine has no disk " + target);
}

// Lets a machine that runs stand still for as long as it lives. One that the
// user paused stays as it is.
class Pause {
 public:
  explicit Pause(Guest& guest) : guest_(guest) {
    if (guest.state() != VIR_DOMAIN_RUNNING) return;
    guard_.emplace(GuardDuty::kResume, guest.connection().uri(), guest.uuid(),
                   kLongestPause);
    if (virDomainSuspend(guest.get()) != 0)
      throw libvirt_failure("pause " + guest.name());
    paused_ = true;
    since_ = steady_clock::now();
  }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  ~Pause() {
    if (!paused_) return;
    try {
      end();
    } catch (const Error&) {  // the guard does it
    }
  }

  milliseconds end() {
    if (!paused_) return milliseconds(0);
    paused_ = false;
    if (virDomainResume(guest_.get()) != 0)
      throw libvirt_failure("let " + guest_.name() + " go on");
    guard_->dismiss();
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() -
                                                    since_);
  }

 private:
  Guest& guest_;
  std::optional<Guard> guard_;
  bool paused_ = false;
  steady_clock::time_point since_;
};

Error ended_early(const std::string& disk) {
  return Error(ErrorKind::kFailed,
               "the job on " + disk + " ended before it was complete");
}

// None when no job runs on the disk.
std::optional<virDomainBlockJobInfo> job_info(Guest& guest,
                                              const std::string& disk) {
  virDomainBlockJobInfo info{};
  const int found =
      virDomainGetBlockJobInfo(guest.get(), disk.c_str(), &info, 0);
  if (found < 0) throw libvirt_failure("watch the job on " + disk);
  if (found == 0) return std::nullopt;
  return info;
}

// A job's end is not known when it begins.
class JobProgress {
 public:
  JobProgress(std::string disk, Progress& progress)
      : disk_(std::move(disk)), progress_(progress) {}

  void update(const virDomainBlockJobInfo& info) {
    if (!begun_ && info.end > 1) {
      progress_.begin(disk_, info.end);
      begun_ = true;
    }
    if (begun_ && info.cur > reported_) {
      progress_.advance(info.cur - reported_);
      reported_ = info.cur;
    }
  }
  void end() {
    if (begun_) progress_.end();
  }

 private:
  const std::string disk_;
  Progress& progress_;
  uint64_t reported_ = 0;
  bool begun_ = false;
};

}  // namespace

std::string DiskJobs::source(const std::string& disk) {
  pugi::xml_document document;
  const std::string xml = guest_.xml();
  document.load_buffer(xml.data(), xml.size());
  return find_disk(document, disk)
      .child("source")
      .attribute("file")
      .as_string();
}

bool DiskJobs::stands_alone(const std::string& disk) {
  pugi::xml_document document;
  const std::string xml = guest_.xml();
  document.load_buffer(xml.data(), xml.size());
  // An element without a type says that there is nothing; none says nothing.
  const pugi::xml_node below = find_disk(document, disk).child("backingStore");
  return below && !below.attribute("type");
}

DiskJobs::Mirror DiskJobs::mirror(const std::string& disk) {
  pugi::xml_document document;
  const std::string xml = guest_.xml();
  document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node node = find_disk(document, disk).child("mirror");
  if (!node) return {};
  return {node.attribute("job").as_string("copy"),
          std::string(node.attribute("ready").as_string()) == "yes"};
}

void DiskJobs::cancel(const std::string& disk) {
  const auto info = job_info(guest_, disk);
  const bool pulls = info && info->type == VIR_DOMAIN_BLOCK_JOB_TYPE_PULL;
  if (pulls || !mirror(disk).job.empty()) abort(disk);
}

void DiskJobs::abort(const std::string& disk) {
  if (virDomainBlockJobAbort(guest_.get(), disk.c_str(), 0) != 0)
    throw libvirt_failure("end the job on " + disk);
}

void DiskJobs::start_copy(const std::string& disk, const std::string& path) {
  pugi::xml_document document;
  pugi::xml_node node = document.append_child("disk");
  node.append_attribute("type") = "file";
  node.append_child("driver").append_attribute("type") = "qcow2";
  node.append_child("source").append_attribute("file") = path.c_str();
  std::ostringstream xml;
  document.save(xml);
  virTypedParameterPtr parameters = nullptr;
  int count = 0;
  int capacity = 0;
  if (bandwidth_ != 0) {
    virTypedParamsAddULLong(&parameters, &count, &capacity,
                            VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, bandwidth_);
  }
  const int result = virDomainBlockCopy(
      guest_.get(), disk.c_str(), xml.str().c_str(), parameters, count,
      VIR_DOMAIN_BLOCK_COPY_SHALLOW | VIR_DOMAIN_BLOCK_COPY_REUSE_EXT |
          VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB);
  const Error failure = libvirt_failure("move " + disk + " to " + path);
  virTypedParamsFree(parameters, count);
  if (result != 0) throw Error(failure);
}

void DiskJobs::commit(const std::string& disk, Progress& progress) {
  unsigned flags = VIR_DOMAIN_BLOCK_COMMIT_ACTIVE |
                   VIR_DOMAIN_BLOCK_COMMIT_SHALLOW |
                   VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES;
  if (virDomainBlockCommit(guest_.get(), disk.c_str(), nullptr, nullptr,
                           bandwidth_, flags) != 0) {
    throw libvirt_failure("fold what was written into " + disk);
  }
  wait_until_ready(disk, progress);
}

void DiskJobs::wait_until_ready(const std::string& disk, Progress& progress) {
  JobProgress shown(disk, progress);
  while (true) {
    const auto info = job_info(guest_, disk);
    if (!info) throw ended_early(disk);
    shown.update(*info);
    if (info->cur >= info->end && mirror(disk).ready) break;
    pause_or_abort(disk);
  }
  shown.end();
}

void DiskJobs::pull(const std::string& disk, Progress& progress) {
  if (virDomainBlockPull(guest_.get(), disk.c_str(), bandwidth_,
                         VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES) != 0) {
    throw libvirt_failure("pull the point into " + disk);
  }
  JobProgress shown(disk, progress);
  while (const auto info = job_info(guest_, disk)) {
    shown.update(*info);
    pause_or_abort(disk);
  }
  // libvirt hears of the end a moment after it.
  const auto deadline = steady_clock::now() + kPivotPatience;
  while (!stands_alone(disk)) {
    if (steady_clock::now() > deadline) throw ended_early(disk);
    std::this_thread::sleep_for(kLook);
  }
  shown.end();
}

void DiskJobs::settle(const std::function<void()>& note) {
  if (guest_.state() != VIR_DOMAIN_RUNNING) {
    throw Error(ErrorKind::kFailed,
                guest_.name() +
                    " is paused: `virsh resume` it first, or its "
                    "disks cannot be flushed");
  }
  Pause pause(guest_);
  note();
  longest_pause_ = std::max(longest_pause_, pause.end());
}

void DiskJobs::pause_or_abort(const std::string& disk) {
  try {
    check_stop();
  } catch (const Error&) {
    cancel(disk);
    throw;
  }
  std::this_thread::sleep_for(kLook);
}

void DiskJobs::pivot(const std::string& disk, const std::string& path,
                     const std::function<void()>& note) {
  Pause pause(guest_);
  if (virDomainBlockJobAbort(guest_.get(), disk.c_str(),
                             VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) != 0) {
    throw libvirt_failure("move " + disk + " on to " + path);
  }
  const auto deadline = steady_clock::now() + kPivotPatience;
  while (source(disk) != path || !mirror(disk).job.empty()) {
    if (steady_clock::now() > deadline) {
      throw Error(ErrorKind::kFailed, disk + " does not move on to " + path);
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  note();
  longest_pause_ = std::max(longest_pause_, pause.end());
}

}  // namespace backstitch::engine
