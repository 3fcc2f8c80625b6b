#include "src/image/image_lock.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

constexpr off_t kUsesWrite = 101;
constexpr off_t kUsesResize = 103;
constexpr off_t kSharesNoWrite = 201;
constexpr off_t kSharesNoResize = 203;

struct flock byte_lock(short type, off_t offset) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  return lock;
}

bool is_locked(int fd, off_t offset) {
  struct flock lock = byte_lock(F_WRLCK, offset);
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void check_free(const File& file) {
  if (!is_locked(file.fd(), kUsesWrite) && !is_locked(file.fd(), kUsesResize))
    return;
  const std::string users = image_users(file.path());
  throw Error(ErrorKind::kBusy,
              file.path().string() + " is in use" +
                  (users.empty() ? " by another process" : " by " + users) +
                  ": shut the machine down first");
}

bool same_file(const struct stat& one, const struct stat& other) {
  if (S_ISBLK(one.st_mode) && S_ISBLK(other.st_mode))
    return one.st_rdev == other.st_rdev;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// proc(5): fdinfo says "flags: 0100002", octal, the access mode in it.
bool open_for_writing(const fs::path& process, const std::string& fd) {
  std::ifstream info(process / "fdinfo" / fd);
  for (std::string word; info >> word;) {
    unsigned flags = 0;
    if (word == "flags:" && info >> std::oct >> flags)
      return (flags & O_ACCMODE) != O_RDONLY;
  }
  return false;
}

std::vector<std::string> command_line(const fs::path& process) {
  std::ifstream file(process / "cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

// QEMU's -name is NAME or guest=NAME, with other keys after a comma.
std::string guest_name(const std::vector<std::string>& words) {
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "-name") continue;
    std::istringstream keys(words[i + 1]);
    for (std::string key; std::getline(keys, key, ',');) {
      if (key.starts_with("guest=")) return key.substr(6);
      if (key.find('=') == std::string::npos) return key;
    }
  }
  return {};
}

std::string describe(const fs::path& process) {
  const auto words = command_line(process);
  const std::string program =
      words.empty() ? "a process" : fs::path(words[0]).filename().string();
  const std::string guest = guest_name(words);
  return program + " (process " + process.filename().string() +
         (guest.empty() ? "" : ", guest " + guest) + ")";
}

bool writes_to(const fs::path& process, const struct stat& image) {
  std::error_code code;
  for (fs::directory_iterator entry(process / "fd", code), end;
       !code && entry != end; entry.increment(code)) {
    struct stat status {};
    if (::stat(entry->path().c_str(), &status) == 0 &&
        same_file(status, image) &&
        open_for_writing(process, entry->path().filename())) {
      return true;
    }
  }
  return false;
}

}  // namespace

ImageLock::ImageLock(const fs::path& image)
    : file_(File::open(image, O_RDONLY)) {
  for (const off_t byte : {kSharesNoWrite, kSharesNoResize}) {
    struct flock lock = byte_lock(F_RDLCK, byte);
    if (::fcntl(file_.fd(), F_OFD_SETLK, &lock) != 0) {
      // A file system without locks: QEMU does without them too.
      spdlog::debug("{}: cannot be locked: {}", image.string(),
                    system_error(errno, "lock").what());
    }
  }
  check_free(file_);
  if (::fstat(file_.fd(), &before_) != 0)
    throw system_error(errno, "examine " + image.string());
}

void ImageLock::check_unchanged() const {
  struct stat now {};
  if (::fstat(file_.fd(), &now) != 0)
    throw system_error(errno, "examine " + file_.path().string());
  if (now.st_size == before_.st_size &&
      now.st_mtim.tv_sec == before_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == before_.st_mtim.tv_nsec) {
    return;
  }
  const std::string users = image_users(file_.path());
  throw Error(ErrorKind::kBusy, file_.path().string() +
                                    " was written to while it was read" +
                                    (users.empty() ? "" : ", by " + users));
}

void refuse_if_in_use(const fs::path& image) {
  check_free(File::open(image, O_RDONLY));
}

std::string image_users(const fs::path& image) {
  struct stat status {};
  if (::stat(image.c_str(), &status) != 0) return {};
  const std::string self = std::to_string(::getpid());
  std::string users;
  std::error_code code;
  for (fs::directory_iterator entry("/proc", code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename();
    if (name == self ||
        name.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    if (!writes_to(entry->path(), status)) continue;
    users += (users.empty() ? "" : ", ") + describe(entry->path());
  }
  return users;
}

}  // namespace backstitch::engine
