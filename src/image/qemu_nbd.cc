#include "src/image/qemu_nbd.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "src/image/qemu_img.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

// mkdtemp makes it 0700.
fs::path make_private_directory() {
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 32;
  std::error_code code;
  fs::path parent = fs::temp_directory_path(code);
  if (code || parent.string().size() > kLongest) parent = "/tmp";
  std::string name = (parent / "backstitch-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw system_error(errno, "make a directory for a socket, " + name);
  return name;
}

Fd listen_at(const fs::path& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (!fd || ::bind(fd.get(), generic, sizeof address) != 0 ||
      ::listen(fd.get(), 64) != 0) {
    throw system_error(errno, "listen at " + path.string());
  }
  return fd;
}

// Each request has a buffer of its own. malloc would give every one back to the
// kernel at once, and fault all of its pages in again for the next: a third of
// the time that a restore takes.
const std::vector<std::string> kKeepMemory = {
    "MALLOC_MMAP_THRESHOLD_=33554432", "MALLOC_TRIM_THRESHOLD_=268435456"};

Arguments command_line(const fs::path& image, const QemuNbdOptions& options) {
  Arguments arguments = {"qemu-nbd", "--persistent",
                         "--shared=" + std::to_string(QemuNbd::kConnections),
                         "--format=" + options.format};
  if (!options.bitmap.empty())
    arguments.push_back("--bitmap=" + options.bitmap);
  if (options.writable) {
    arguments.push_back("--discard=unmap");
  } else {
    arguments.push_back("--read-only");
  }
  arguments.insert(arguments.end(), {"--", fs::absolute(image).string()});
  return arguments;
}

}  // namespace

QemuNbd::QemuNbd(const fs::path& image, const QemuNbdOptions& options)
    : image_(image), directory_(make_private_directory()) {
  socket_ = directory_ / "nbd";
  try {
    const Fd listening = listen_at(socket_);
    process_.emplace(Process::start(command_line(image, options), kQemuPackage,
                                    {.die_with_us = true,
                                     .listen_fd = listening.get(),
                                     .environment = kKeepMemory}));
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    throw;
  }
  spdlog::debug("qemu-nbd (process {}) serves {}", process_->pid(),
                image_.string());
}

QemuNbd::~QemuNbd() {
  std::error_code ignored;
  process_.reset();
  fs::remove_all(directory_, ignored);
}

Error QemuNbd::explain(const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) return error;
  std::string text = image_.string() + ": " + error.what();
  // A server that died is seen by its clients a moment before by us.
  const auto status = process_->wait(std::chrono::milliseconds(500));
  if (status) text += "; qemu-nbd ended (" + describe_status(*status) + ")";
  const std::string words = process_->standard_error();
  if (!words.empty()) text += "; " + words;
  return Error(error.kind(), text, error.system_errno());
}

void QemuNbd::finish() {
  const int status = process_->stop();
  if (status == 0) return;
  throw Error(ErrorKind::kFailed, image_.string() + ": qemu-nbd ended (" +
                                      describe_status(status) + "); " +
                                      process_->standard_error());
}

}  // namespace backstitch::engine
