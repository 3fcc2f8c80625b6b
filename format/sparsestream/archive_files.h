// The files that virtnbdbackup wrote to one place, by what they are.
//
//   DISK.full.data  DISK.copy.data  DISK.inc.IDENT.data  DISK.diff.IDENT.data
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/sparsestream/stream_index.h"

namespace backstitch::format {

// The data of one disk from one run.
struct DataFile {
  enum class Level { kFull, kCopy, kIncremental, kDifferential };

  StoredPlace place;
  std::string disk;
  Level level = Level::kFull;  // by its name
  std::string ident;           // of an incremental or differential
  bool is_raw = false;         // the disk's bytes and nothing else
  bool is_partial = false;     // what an unfinished run left
  StreamMeta meta;             // of a raw image: its size
  std::optional<Error> error;  // why it cannot be used
};
using DataFilePointer = std::shared_ptr<const DataFile>;

struct ArchiveFiles {
  std::vector<DataFilePointer> data;
  std::map<std::string, StoredPlace> others;  // by name
  // Others that lie compressed in a zip file, where they are not read.
  std::vector<std::string> unreadable;

  // The content of one of the others; nothing when it is not there. Throws.
  std::optional<std::string> text(const std::string& name) const;
};

// Of a directory and the zip files in it, or of one zip file. Reads the
// beginning and the end of each data file. Throws kNotFound or kFailed, and
// kDamaged or kUnsupported for a zip file.
ArchiveFiles find_archive_files(const std::filesystem::path& path);
// Whether there is anything in it for find_archive_files; cheap for
// directories.
bool holds_archive(const std::filesystem::path& path);

// Disk, level and ident, or nothing for another name.
std::optional<DataFile> parse_data_name(const std::string& name);

}  // namespace backstitch::format
