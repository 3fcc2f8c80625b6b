// The disks of a writable mount: each is its point's, with an overlay that
// takes the writes.
//
// An image that was written stays, and with it its point, until the mount ends:
// what is read later must be what was written. Others go with their last
// reader, so that looking at a point neither makes files nor keeps it from
// deletion.
#pragma once

#include <map>
#include <optional>

#include "format/base/synchronized.h"
#include "format/overlay/overlay_image.h"
#include "fuse/image/image_factory.h"

namespace backstitch::mount {

class Catalog;

// Thread-safe.
class Overlays : public ImageFactory {
 public:
  // Without a directory what was written is gone at the end. `images` gives the
  // images below the overlays.
  Overlays(std::unique_ptr<ImageFactory> images, std::string repository_id,
           std::optional<format::OverlayDirectory> directory);

  // Opens all overlays that the directory has. Throws kUsage when one belongs
  // to a point that `catalog` does not show, and what load() throws.
  void load(const format::Repository& repository, const Catalog& catalog);

  DiskHandle open(const format::Point& point, const std::string& disk) override;

  // The disk, when it was ever written; else null.
  std::shared_ptr<const format::OverlayImage> written(
      const format::PointId& point, const std::string& disk);

  // Makes durable what there is. Says in the log what could not be; false then.
  bool sync_all();

 private:
  using ImageKey = std::pair<format::PointId, std::string>;
  using Pointer = std::shared_ptr<format::OverlayImage>;
  struct Images {
    std::map<ImageKey, std::weak_ptr<format::OverlayImage>> open;
    std::map<ImageKey, Pointer> written;
  };

  format::OverlayIdentity identity(const format::Manifest& manifest,
                                   const std::string& disk) const;
  format::OverlayStorage make_storage(
      const format::OverlayDirectory::Entry& entry,
      const format::OverlayIdentity& identity);

  const std::unique_ptr<ImageFactory> images_below_;
  const std::string repository_id_;
  const std::optional<format::OverlayDirectory> directory_;
  Synchronized<Images> images_;
};

}  // namespace backstitch::mount
