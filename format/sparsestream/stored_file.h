// A file of an archive: a file of its own, or an entry of a zip file that is
// stored as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "format/base/bytes.h"
#include "format/base/file.h"

namespace backstitch::format {

// What tells whether a file is still the one that was looked at.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t modified_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
// Throws kNotFound or kFailed.
FileStamp stamp_of(const std::filesystem::path& path);

// Where a file of an archive lies. `name` has no directories.
struct StoredPlace {
  std::string name;
  std::filesystem::path path;  // of the file itself, or of the zip file
  uint64_t offset = 0;
  uint64_t length = 0;
  bool in_zip = false;
  FileStamp stamp;  // of `path`
};

// An open one. Thread-safe; every failure names it.
class StoredFile {
 public:
  explicit StoredFile(StoredPlace place);

  const StoredPlace& place() const { return place_; }
  const std::string& name() const { return place_.name; }
  uint64_t size() const { return place_.length; }
  // Fills `out`. Beyond the end is kDamaged.
  void read_at(uint64_t offset, std::span<std::byte> out) const;
  // All of it. Longer than `limit` is kDamaged.
  std::string text(uint64_t limit = 16 << 20) const;

 private:
  const StoredPlace place_;
  const File file_;
};

}  // namespace backstitch::format
