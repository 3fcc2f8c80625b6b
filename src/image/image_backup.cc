#include "src/image/image_backup.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "format/repository/writer_lock.h"
#include "src/base/stop.h"
#include "src/image/bitmap_plan.h"
#include "src/image/image_lock.h"
#include "src/image/image_probe.h"
#include "src/image/qemu_nbd.h"
#include "src/nbd/copy_pipeline.h"
#include "src/nbd/nbd_source.h"

namespace backstitch::engine {
namespace {

using format::Level;
using format::Manifest;
using format::PointPlan;
using format::PointWriter;

// An image on its way into the point.
struct Job {
  std::string disk;
  ImageInfo image;
  ReadPlan plan;
  bool holds_bitmap = false;  // gets a new one
};

// The bitmaps that this run added: they go with it unless it is committed.
class NewBitmaps {
 public:
  NewBitmaps() = default;
  NewBitmaps(const NewBitmaps&) = delete;
  NewBitmaps& operator=(const NewBitmaps&) = delete;
  ~NewBitmaps() {
    for (const Added& added : added_) {
      try {
        remove_bitmap(added.image, added.bitmap);
      } catch (const Error& error) {
        // Harmless: the next run removes it.
        spdlog::warn("{}: cannot remove the bitmap {}: {}",
                     added.image.path.string(), added.bitmap, error.what());
      }
    }
  }

  void add(const ImageInfo& image, const std::string& bitmap) {
    // Noted first: an addition that failed may have left something.
    added_.push_back({image, bitmap});
    try {
      add_bitmap(image, bitmap);
    } catch (...) {
      added_.pop_back();
      throw;
    }
  }
  void keep() { added_.clear(); }

 private:
  struct Added {
    ImageInfo image;
    std::string bitmap;
  };
  std::vector<Added> added_;
};

// Checkpoints that a later point can build on: that of the newest point of the
// chain and that of its full.
std::vector<std::string> useful_checkpoints(const format::Domain& domain,
                                            const std::string& disk) {
  const PointPlan next = format::plan_point(domain, std::nullopt);
  std::vector<std::string> useful;
  if (const auto* base = next.base(disk))
    useful.push_back(base->point.manifest().checkpoint);
  if (next.chain != 0) {
    useful.push_back(domain.open_point(next.chain).manifest().checkpoint);
  }
  return useful;
}

void remove_bitmaps(const ImageInfo& image,
                    const std::vector<std::string>& bitmaps) {
  for (const std::string& bitmap : bitmaps) {
    spdlog::debug("{}: removing the bitmap {}", image.path.string(), bitmap);
    remove_bitmap(image, bitmap);
  }
}

}  // namespace
}  // namespace backstitch::engine
