// The points of a domain that lie in somebody else's format.
//
// Domain and Point ask these when a domain is not the repository's own, so that
// whoever reads points (the driver, restore, list, verify) need not know of
// what kind they are. Such points are never written or deleted.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "format/disk_image.h"
#include "format/repository/manifest.h"

namespace backstitch::format {

struct VerifyOptions;
struct VerifyResult;

// One point, held as long as the object lives. Immutable and thread-safe.
class PointContent {
 public:
  virtual ~PointContent() = default;
  // With roots that are zero, and lengths as stored in the other format.
  virtual const Manifest& manifest() const = 0;
  // Throws kNotFound, kDamaged or kUnsupported.
  virtual std::shared_ptr<const DiskImage> image(
      const std::string& disk) const = 0;
  // `name` is one of the manifest's files.
  virtual std::string side_file(const std::string& name) const = 0;
};

// All points of one domain. Thread-safe.
class PointSource {
 public:
  virtual ~PointSource() = default;
  // Ascending.
  virtual std::vector<uint32_t> points() const = 0;
  // Throws kNotFound; kDamaged or kUnsupported when it cannot be used.
  virtual std::shared_ptr<const PointContent> open(uint32_t number) const = 0;
  // A file that is replaced or removed when the point is.
  virtual std::filesystem::path record(uint32_t number) const = 0;
  // As verify_point; number 0 means as verify_domain.
  virtual VerifyResult verify(uint32_t number,
                              const VerifyOptions& options) const = 0;
};

}  // namespace backstitch::format
