// Checks that a domain's points are what was written.
//
// Goes on after damage and reports all of it. A whole domain is one walk over
// all its maps: every page and chunk is checked once, and because the refs of a
// point tile its files exactly, so is every byte of every file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "format/map/walk.h"
#include "format/repository/repository.h"

namespace backstitch::format {

struct Finding {
  std::string file;     // DOMAIN/POINT/FILE
  uint64_t offset = 0;  // in the file
  std::string what;     // the whole sentence
  std::string disk;     // empty where it is no disk
  uint64_t begin = 0;   // disk range that cannot be read, in bytes
  uint64_t end = 0;
  std::vector<uint32_t> points;  // whose disks are affected
};

// A page or chunk that is damaged, for those who can mend it.
struct DamagedRef {
  std::string disk;
  Ref ref;
  Position at;
};
// Bytes of a file that must be zero, since nothing refers to them, and are not.
struct StrayBytes {
  std::string file;  // DOMAIN/POINT/FILE
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct VerifyOptions {
  bool quick = false;    // structure only: manifests, headers, pages, bounds
  unsigned threads = 0;  // 0: all cores
  // Called from time to time, from any one thread, with the stored bytes that
  // were checked so far. Throwing from it stops the run.
  std::function<void(uint64_t bytes)> progress;
  // Called from one thread for each of them; findings sum them up.
  std::function<void(const DamagedRef&)> damaged;
  std::function<void(const StrayBytes&)> stray;
};

struct VerifyResult {
  uint64_t points = 0;
  uint64_t pages = 0;
  uint64_t chunks = 0;
  uint64_t bytes = 0;
  std::vector<Finding> findings;
};

// Every file of the domain.
VerifyResult verify_domain(const Domain& domain, const VerifyOptions& options);
// What one point needs, in whatever files it lies.
VerifyResult verify_point(const Domain& domain, uint32_t number,
                          const VerifyOptions& options);

}  // namespace backstitch::format
