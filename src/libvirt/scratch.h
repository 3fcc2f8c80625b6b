// The files in which QEMU keeps what a guest overwrites while it is backed up.
//
// When one cannot grow, the guest gets write errors: so space is looked for
// before the job, watched during it, and the job is ended before it runs out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "src/libvirt/domain_xml.h"
#include "src/libvirt/host.h"

namespace backstitch::engine {

// What must stay free: a fast guest writes this much between two looks.
inline constexpr uint64_t kScratchReserve = 256 << 20;

// "DIR/backstitch-<repository>-<name>-<disk>.scratch": beside the disk's image
// unless `directory` says otherwise.
std::string scratch_path(const std::string& directory,
                         const std::string& checkpoint_prefix,
                         const DomainDisk& disk);

class ScratchWatch {
 public:
  // Looks at the directories of `files`, now and then until it goes. Throws
  // kFailed when there is too little now. The host must outlive it.
  ScratchWatch(const Host& host, const std::vector<std::string>& files);
  ~ScratchWatch();

  // From now on too little space ends the domain's job.
  void guard(const std::string& uri, const std::string& uuid);
  // Why it ended the job; empty while it did not.
  std::string failure() const;

 private:
  void watch(const std::stop_token& stop, const std::string& uri,
             const std::string& uuid);
  // The first directory with too little; empty when there is none.
  std::string shortage(uint64_t needed) const;

  const Host& host_;
  std::vector<std::string> directories_;
  mutable std::mutex mutex_;  // guards failure_
  std::string failure_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace backstitch::engine
