// What the `files` commands share: POINT[:DISK]:PATH, and the appliance that
// reads it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/repository/repository.h"
#include "src/cli/command.h"
#include "src/files/guest.h"
#include "src/files/workplace.h"
#include "src/mounts/private_mount.h"

namespace backstitch::cli {

// POINT[:DISK][:PATH].
struct FilesTarget {
  format::Domain domain;
  uint32_t number = 0;
  std::string disk;  // empty: all
  std::string path;  // absolute; "/" when none was given

  std::string label() const;  // "vm1@7"
};

// Throws kUsage for a path that does not begin with '/', kNotFound for a point
// or disk that is not there.
FilesTarget parse_files_target(const format::Repository& repository,
                               const std::string& text);
// Several paths of one point; kUsage when they are of different ones.
std::vector<FilesTarget> parse_files_targets(
    const format::Repository& repository,
    const std::vector<std::string>& texts);

// -m, --mount DEVICE[:MOUNTPOINT]. To be added to a command's options.
void add_mount_option(Options& options);
std::vector<engine::GuestMount> chosen_mounts(const Values& values);

// A word on a terminal about what takes a while; gone with the object.
class Status {
 public:
  Status(const Globals& globals, const std::string& text);
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status();

 private:
  bool shown_;
};

// A point's disks, mounted privately and given to an appliance.
class FilesPoint {
 public:
  // On the main thread: see PrivateMount.
  FilesPoint(const format::Repository& repository, const FilesTarget& target);
  // Starts the appliance; mounts, unless only to look at the devices.
  void start(const std::vector<engine::GuestMount>& mounts,
             bool devices_only = false);
  // Runs a body that uses guest(). What the driver says about damage is told
  // instead of what the guest makes of it; so is damage that the guest did not
  // care to tell. Gives what the body gives.
  template <typename Body>
  auto guarded(Body&& body) {
    try {
      if constexpr (std::is_void_v<decltype(body())>) {
        body();
        check();
      } else {
        auto result = body();
        check();
        return result;
      }
    } catch (const Error& error) {
      explain(error);
    }
  }
  engine::GuestView& guest() { return *guest_; }

 private:
  // Throws when the driver met damage.
  void check() const;
  // Throws `error`, or what is behind it.
  [[noreturn]] void explain(const Error& error) const;

  std::string label_;
  format::Point point_;
  engine::PrivateMount mount_;
  engine::Workplace workplace_;
  std::vector<engine::GuestDisk> disks_;
  std::unique_ptr<engine::GuestView> guest_;
};

// Opens a point, starts and mounts, with words for a terminal, and runs `body`.
int with_files(const Globals& globals, const Values& values,
               const format::Repository& repository, const FilesTarget& target,
               const std::function<int(engine::GuestView&)>& body);

// Copies a stream to a descriptor, called `name` in errors.
void pump(int from, int to, const std::string& name);
// Runs a body that pumps to the standard output. When nobody reads there any
// more (`| head`), all is cleaned up and SIGPIPE ends the program, as any
// other.
int with_output(const std::function<int()>& body);

// "dir/name", whatever of the two is empty or "/".
std::string join_path(const std::string& directory, const std::string& name);

}  // namespace backstitch::cli
