// Points of a repository mounted for one program's own use, for as long as it
// needs them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "format/base/file.h"
#include "src/base/process.h"

namespace backstitch::engine {

// The driver: beside this program, in the build tree's fuse/, else as PATH has
// it.
std::string driver_program();

// Mounted when made, gone with the object; also when this program is killed:
// then the directory stays until the next one is made in the same place.
// Move-only. Make it on a thread that outlives it: the driver ends with the
// thread that started it.
class PrivateMount {
 public:
  // Mounts `points` (DOMAIN@N) where only this user can see them. Throws what
  // the driver says.
  PrivateMount(const std::string& repository,
               const std::vector<std::string>& points);
  PrivateMount(const PrivateMount&) = delete;
  PrivateMount& operator=(const PrivateMount&) = delete;
  ~PrivateMount();

  // What holds DOMAIN/NUMBER/DISK.raw.
  std::filesystem::path tree() const { return directory_ / "tree"; }
  // A directory of this program's own beside it, for as long as the mount.
  const std::filesystem::path& directory() const { return directory_; }
  // What the driver has logged about data that could not be read; empty when
  // there was nothing.
  std::string complaints() const;

 private:
  void wait_until_mounted();

  std::filesystem::path directory_;
  Fd lock_;  // says that the directory is in use
  Process driver_;
};

}  // namespace backstitch::engine
