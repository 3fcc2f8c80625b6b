// Owned file descriptors with calls that do all of what they say or throw.
//
// Every failure is an Error that names the path. Thread-safety: reads at an
// offset may run in parallel; everything else belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "format/base/bytes.h"

namespace backstitch {

// A file descriptor that closes itself. Move-only.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();

 private:
  int fd_ = -1;
};

class File {
 public:
  File() = default;
  File(Fd fd, std::filesystem::path path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  // O_CLOEXEC is always added. Throws kNotFound on ENOENT, kFailed otherwise.
  static File open(const std::filesystem::path& path, int flags,
                   unsigned mode = 0600);

  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return path_; }
  explicit operator bool() const { return static_cast<bool>(fd_); }

  uint64_t size() const;
  // Fills `out` from `offset`; a file that ends before is kDamaged.
  void read_at(uint64_t offset, std::span<std::byte> out) const;
  void write_at(uint64_t offset, ByteView bytes) const;
  // Cuts the file, or lets it grow by a hole.
  void resize(uint64_t size) const;
  // Data and metadata on stable storage.
  void sync() const;
  // Asks the kernel to start writing a range back; a hint, never fails.
  void start_writeback(uint64_t offset, uint64_t length) const;
  // What was synced may leave the page cache, so that the next read comes from
  // the storage; a hint, never fails.
  void drop_cache() const;
  // Makes a range read as zeroes and gives its blocks back where the file
  // system can do that; elsewhere writes zeroes.
  void punch_hole(uint64_t offset, uint64_t length) const;

 private:
  Fd fd_;
  std::filesystem::path path_;
};

// fsync of a directory: what was created, renamed or removed in it is durable.
void sync_directory(const std::filesystem::path& path);

// Reads a whole file of at most `limit` bytes; a longer one is kDamaged.
std::string read_text(const std::filesystem::path& path,
                      uint64_t limit = 16 << 20);

// Creates a new file (it must not exist), writes all of it and syncs it.
void write_new_file(const std::filesystem::path& path, std::string_view text,
                    unsigned mode = 0600);

// rename(2) with the error named; never replaces an existing target when
// `replace` is false.
void rename_path(const std::filesystem::path& from,
                 const std::filesystem::path& to, bool replace = false);

// Removes a file or a tree; what is not there is no error, all else is.
void remove_tree(const std::filesystem::path& path);

}  // namespace backstitch
