#include "format/base/file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "format/base/error.h"

namespace backstitch {

namespace fs = std::filesystem;

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

// Nothing that must be durable depends on close: sync() has said so before.
Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

File File::open(const fs::path& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) {
    const char* verb = (flags & O_CREAT) != 0 ? "create " : "open ";
    throw system_error(errno, verb + path.string());
  }
  return File(Fd(fd), path);
}

uint64_t File::size() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0)
    throw system_error(errno, "examine " + path_.string());
  return static_cast<uint64_t>(status.st_size);
}

void File::read_at(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got =
        ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw system_error(errno, "read " + path_.string() + " at offset " +
                                    std::to_string(offset));
    }
    if (got == 0) {
      throw Error(ErrorKind::kDamaged, path_.string() + ": ends at offset " +
                                           std::to_string(offset) + ", " +
                                           std::to_string(out.size()) +
                                           " bytes before it should");
    }
    out = out.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

void File::write_at(uint64_t offset, ByteView bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd_.get(), bytes.data(), bytes.size(),
                                 static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      throw system_error(
          put == 0 ? EIO : errno,
          "write " + path_.string() + " at offset " + std::to_string(offset));
    }
    bytes = bytes.subspan(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
}

void File::resize(uint64_t size) const {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
    throw system_error(errno, "resize " + path_.string());
}

void File::drop_cache() const {
  ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
}

void File::sync() const {
  if (::fsync(fd_.get()) != 0)
    throw system_error(errno, "make " + path_.string() + " durable");
}

void File::start_writeback(uint64_t offset, uint64_t length) const {
  ::sync_file_range(fd_.get(), static_cast<off_t>(offset),
                    static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
}

void File::punch_hole(uint64_t offset, uint64_t length) const {
  if (length == 0) return;
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(offset),
                  static_cast<off_t>(length)) == 0) {
    return;
  }
  // EINVAL: a block device takes whole sectors only (4 KiB on some), and a disk
  // need not end with one.
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
    throw system_error(errno, "punch a hole into " + path_.string() +
                                  " at offset " + std::to_string(offset));
  }
  const Bytes zeroes(std::min<uint64_t>(length, 1 << 20));
  while (length > 0) {
    const uint64_t part = std::min<uint64_t>(length, zeroes.size());
    write_at(offset, ByteView(zeroes).first(part));
    offset += part;
    length -= part;
  }
}

void sync_directory(const fs::path& path) {
  File::open(path, O_RDONLY | O_DIRECTORY).sync();
}

std::string read_text(const fs::path& path, uint64_t limit) {
  const File file = File::open(path, O_RDONLY);
  const uint64_t size = file.size();
  if (size > limit) {
    throw Error(ErrorKind::kDamaged, path.string() + ": " +
                                         std::to_string(size) +
                                         " bytes are too many for this file");
  }
  std::string text(size, '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void write_new_file(const fs::path& path, std::string_view text,
                    unsigned mode) {
  const File file = File::open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  file.write_at(0, std::as_bytes(std::span(text)));
  file.sync();
}

void rename_path(const fs::path& from, const fs::path& to, bool replace) {
  const unsigned flags = replace ? 0 : RENAME_NOREPLACE;
  int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
  if (result != 0 && errno == EINVAL && !replace) {
    // File systems without RENAME_NOREPLACE; callers hold a lock.
    if (::access(to.c_str(), F_OK) == 0) {
      errno = EEXIST;
    } else {
      result = ::rename(from.c_str(), to.c_str());
    }
  }
  if (result != 0) {
    throw system_error(errno, "rename " + from.string() + " to " + to.string());
  }
}

void remove_tree(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) throw system_error(code.value(), "remove " + path.string());
}

}  // namespace backstitch
