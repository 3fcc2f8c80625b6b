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
  // Whether that file needs none below it.
  bool stands_alone(const std::string& disk);
  // Ends a job on the disk that somebody left behind; the disk stays as it is.
  void cancel(const std::string& disk);

  // Begins to mirror what the guest has written to a qcow2 that exists.
  void start_copy(const std::string& disk, const std::string& path);
  // Waits until the disk and its mirror are the same, and stay so.
  void wait_until_ready(const std::string& disk, Progress& progress);
  // Mirrors it to the backing file of the active one, until they are the same.
  void commit(const std::string& disk, Progress& progress);

  // Brings all that lies below the active file into it. What was brought when
  // this fails stays there. Nothing of it is safe before settle().
  void pull(const std::string& disk, Progress& progress);
  // Pauses the guest, upon which QEMU writes all that it keeps of its images to
  // stable storage (a pull does not), and calls `note` before it goes on.
  // Throws kFailed for a guest that is paused.
  void settle(const std::function<void()>& note);

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
  void abort(const std::string& disk);
  void pause_or_abort(const std::string& disk);

  Guest& guest_;
  const uint64_t bandwidth_;
  std::chrono::milliseconds longest_pause_{0};
};

}  // namespace backstitch::engine
