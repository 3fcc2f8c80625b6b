// Brings the points of an archive into a repository.
#pragma once

#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/repository/point_writer.h"
#include "src/base/progress.h"

namespace backstitch::engine {

struct ImportRequest {
  std::string name;  // of the domain in the repository
  format::Compression compression;
};

struct ImportedPoint {
  uint32_t from = 0;       // number in the archive
  uint32_t point = 0;      // number in the repository; 0: could not be imported
  bool was_there = false;  // an earlier run had imported it
  format::Level level = format::Level::kFull;
  uint64_t stored_bytes = 0;
  std::string error;
};

// Each point of `source` (of an archive) becomes a point of its own with its
// level and time. Those that an earlier run brought are left out, so that one
// that was interrupted can be repeated. One that is damaged is noted, and the
// others are imported. Throws kUsage when the domain has newer points that come
// from elsewhere: "latest" would no longer mean the latest.
std::vector<ImportedPoint> import_domain(const format::Repository& repository,
                                         const format::Domain& source,
                                         const ImportRequest& request,
                                         Progress& progress);

}  // namespace backstitch::engine
