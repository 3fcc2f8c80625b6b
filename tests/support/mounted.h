// A repository mounted by the real driver for the length of a test.
#pragma once

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "format/base/error.h"

namespace backstitch::test {

class Mounted {
 public:
  Mounted(const std::filesystem::path& driver,
          const std::filesystem::path& repository,
          const std::filesystem::path& mount_point)
      : mount_point_(mount_point) {
    std::filesystem::create_directory(mount_point);
    const dev_t before = device();
    start(driver, repository);
    for (int i = 0; i < 1000 && device() == before; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (device() == before)
      throw Error(ErrorKind::kFailed, "the driver did not mount in 10 s");
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  ~Mounted() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }

  const std::filesystem::path& path() const { return mount_point_; }

 private:
  void start(const std::filesystem::path& driver,
             const std::filesystem::path& repository) {
    process_ = ::fork();
    if (process_ != 0) return;
    ::execl(driver.c_str(), driver.c_str(), "-f", repository.c_str(),
            mount_point_.c_str(), nullptr);
    ::_exit(127);
  }
  dev_t device() const {
    struct stat status {};
    return ::stat(mount_point_.c_str(), &status) == 0 ? status.st_dev : 0;
  }

  const std::filesystem::path mount_point_;
  pid_t process_ = -1;
};

}  // namespace backstitch::test
