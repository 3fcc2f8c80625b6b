// Starting other programs.
//
// Every child has its own process group, so that a Ctrl-C meant for us does not
// cut qemu-img off in the middle of a bitmap; stdin is /dev/null unless one is
// given; stdout and stderr go to memory files, so that no child ever waits for
// us to read them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "format/base/file.h"

namespace backstitch::engine {

using Arguments = std::vector<std::string>;

struct StartOptions {
  // The kernel ends the child when the thread that started it ends: for
  // servers. Start those from a thread that outlives them.
  bool die_with_us = false;
  int death_signal = SIGKILL;  // by which it then ends
  int standard_input = -1;     // instead of /dev/null
  // A listening socket to hand over by systemd's protocol (LISTEN_FDS).
  int listen_fd = -1;
  // What it writes to stderr goes to ours as it comes: for a program that is
  // meant to be watched.
  bool share_stderr = false;
  // "NAME=VALUE", where our own environment has no such name.
  std::vector<std::string> environment = {};
};

// A running child. Move-only; a child that is still running when its owner goes
// is ended. One thread at a time.
class Process {
 public:
  // `arguments[0]` is looked up in PATH unless it is a path; `package` is what
  // to install when it is not there (kUnsupported).
  static Process start(const Arguments& arguments, const std::string& package,
                       const StartOptions& options = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  // How it ended (as from waitpid), empty while it runs. Waits up to
  // `patience`.
  std::optional<int> wait(std::chrono::milliseconds patience);
  int wait();
  // SIGTERM, and SIGKILL for one that does not go; gives how it ended.
  int stop();

  // Lets it run on when its owner goes.
  void release() { pid_ = -1; }

  // What it wrote so far; the last 64 KiB (stderr), 80 MiB (stdout).
  std::string standard_output() const;
  std::string standard_error() const;

 private:
  Process(pid_t pid, std::string name, Fd out, Fd err);

  pid_t pid_ = -1;
  std::string name_;
  Fd out_;
  Fd err_;
  std::optional<int> status_;
};

// "exit status 1", "killed by signal 9 (Killed)".
std::string describe_status(int status);

// Runs a program to its end, with `input` as its stdin, and gives its stdout.
// Failure is an Error with what it wrote to stderr (kFailed).
std::string run(const Arguments& arguments, const std::string& package,
                const std::string& input = "");

}  // namespace backstitch::engine
