// What happened on this host to the machines of a repository, as far as no
// point says it: runs that made none, and verifications. Kept in the state
// directory, records/REPOSITORY-ID/DOMAIN/, a small file each; losing them
// loses nothing but the report.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/repository/repository.h"

namespace backstitch::engine {

// The last `backstitch run` of a machine.
struct RunRecord {
  format::Time time{};
  uint64_t duration_ms = 0;
  int exit_code = 0;
  std::string message;  // why it failed; empty: it did not
};

struct Verification {
  uint32_t point = 0;
  std::string kind;  // "quick", "full", "boot"
  format::Time time{};
  bool good = false;
  std::string report;  // directory of a boot's report; else empty
};

struct DomainRecords {
  std::optional<RunRecord> run;
  std::vector<Verification> verifications;  // by point and kind

  // The newest one, of any kind, or null.
  const Verification* last_verification() const;
};

// Where those of a domain lie (whether or not there are any).
std::filesystem::path records_directory(const format::Repository& repository,
                                        const std::string& domain);

// Best effort: a state directory that cannot be written is said at the level
// debug, and is no failure of what was done.
void record_run(const format::Repository& repository, const std::string& domain,
                const RunRecord& run);
void record_verification(const format::Repository& repository,
                         const std::string& domain,
                         const Verification& verification);

// Files that cannot be read are left out.
DomainRecords load_records(const format::Repository& repository,
                           const std::string& domain);

}  // namespace backstitch::engine
