// How a disk of a point becomes an image.
//
// The tree asks only this, so that other kinds (overlays that take writes,
// foreign archives) are other factories.
#pragma once

#include <string>

#include "format/repository/repository.h"
#include "format/writable_image.h"
#include "fuse/image/part_image.h"

namespace backstitch::mount {

using WritablePointer = std::shared_ptr<format::WritableImage>;

// A disk, and the way to write it: null where the mount is read-only.
struct DiskHandle {
  ImagePointer image;
  WritablePointer writable;
};

// Thread-safe.
class ImageFactory {
 public:
  virtual ~ImageFactory() = default;
  // Throws kNotFound when the point has no such disk. The image protects the
  // point from deletion while it lives.
  virtual DiskHandle open(const format::Point& point,
                          const std::string& disk) = 0;
};

// Points of a repository, over caches that the whole mount shares.
class ChainImageFactory : public ImageFactory {
 public:
  explicit ChainImageFactory(const format::CacheSizes& sizes)
      : caches_(std::make_shared<format::Caches>(sizes)) {}
  DiskHandle open(const format::Point& point,
                  const std::string& disk) override {
    // Not over a store shared with other points: after a deletion a number can
    // be used again, and what a store remembers of the old point must not be
    // read as the new one's.
    return {point.image(disk, caches_), nullptr};
  }

 private:
  const std::shared_ptr<format::Caches> caches_;
};

}  // namespace backstitch::mount
