// What is known of the program that wrote a file of an archive.
#pragma once

#include <map>
#include <string>

#include "format/sparsestream/archive_files.h"

namespace backstitch::format {

// From 2.21 on, virtnbdbackup leaves ranges out of incrementals that the guest
// has zeroed or discarded, unless told not to: what was there before comes back
// when they are restored. Nothing in the data files tells, but the logs beside
// them do.
class ArchiveLogs {
 public:
  explicit ArchiveLogs(const ArchiveFiles& files);

  // "2.28", or empty.
  std::string version(const DataFile& file) const;
  // Why the file may lack ranges that became zero; empty when it does not.
  std::string why_stale(const DataFile& file) const;

 private:
  struct Run {
    std::string version;
    bool keeps_zeroes = false;
  };
  void read_log(const StoredPlace& place);
  const Run* run_of(const DataFile& file) const;

  std::map<std::string, Run> by_file_;  // by the name of the data file
  std::map<std::filesystem::path, Run> by_zip_;
};

}  // namespace backstitch::format
