// libvirt's block jobs on the disks of a running machine.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "src/base/progress.h"
#include "src/libvirt/connection.h"

namespace backstitch::engine {

// Belongs to one thread.
class DiskJobs {
 public:
  // `bandwidth` in bytes a second; 0: no limit.
  DiskJobs(Guest& guest, uint64_t bandwidth)
      : guest_(guest), bandwidth_(bandwidth) {}

  // The file that the disk is now.
  std::string source(const std::string& disk);
  // Ends a job on the disk that somebody left behind; the disk stays as it is.
  void cancel(const std::string& disk);

  // Mirror what the guest has written to a qcow2 that exists, or to the backing
  // file of the active one, until both are the same and stay so.
  void copy_to(const std::string& disk, const std::string& path,
               Progress& progress);
  void commit(const std::string& disk, Progress& progress);

  // Moves the guest on to the mirror, called `path`. It is paused for that, and
  // `note` is called before it goes on. A process of its own lets it go on if
  // this one is killed in between.
  void pivot(const std::string& disk, const std::string& path,
             const std::function<void()>& note);
  std::chrono::milliseconds longest_pause() const { return longest_pause_; }

 private:
  struct Mirror {
    std::string job;  // "copy", "active-commit"; empty: none
    bool ready = false;
  };
  Mirror mirror(const std::string& disk);
  void wait_until_ready(const std::string& disk, Progress& progress);

  Guest& guest_;
  const uint64_t bandwidth_;
  std::chrono::milliseconds longest_pause_{0};
};

}  // namespace backstitch::engine
