// A FUSE mount as an object.
#pragma once

#include <filesystem>
#include <memory>

#include "fuse/operations/driver.h"
#include "fuse/options/mount_options.h"

namespace backstitch::mount {

// From construction SIGINT, SIGTERM and SIGHUP end the loop, and SIGPIPE is
// ignored. The destructor undoes what was done and no more.
class Session {
 public:
  // `repository` is what `mount` lists as the source. Throws kUsage when
  // libfuse does not take the options.
  Session(Driver& driver, const std::filesystem::path& repository,
          const MountOptions& options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Throws kFailed with what libfuse or its helper said.
  void mount(const std::filesystem::path& mount_point);
  // Serves until a signal, or until somebody unmounts. Throws kFailed.
  void loop(unsigned threads);
  // Detaches the mount if it is still there, and ends the connection: whoever
  // waits for an answer gets ENOTCONN.
  void unmount();

 private:
  struct Destroy {
    void operator()(fuse_session* session) const;
  };
  std::unique_ptr<fuse_session, Destroy> session_;
  bool mounted_ = false;
};

}  // namespace backstitch::mount
