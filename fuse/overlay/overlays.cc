#include "fuse/overlay/overlays.h"

#include <spdlog/spdlog.h>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "fuse/tree/catalog.h"

namespace backstitch::mount {

using format::OverlayDirectory;
using format::OverlayImage;

Overlays::Overlays(std::unique_ptr<ImageFactory> images,
                   std::string repository_id,
                   std::optional<OverlayDirectory> directory)
    : images_below_(std::move(images)),
      repository_id_(std::move(repository_id)),
      directory_(std::move(directory)) {}

format::OverlayIdentity Overlays::identity(const format::Manifest& manifest,
                                           const std::string& disk) const {
  const format::DiskManifest* found = manifest.disk(disk);
  if (found == nullptr)
    throw Error(ErrorKind::kNotFound, "the point has no disk " + disk);
  return {repository_id_, manifest.point, manifest.id, disk, found->size_bytes};
}

void Overlays::load(const format::Repository& repository,
                    const Catalog& catalog) {
  if (!directory_) return;
  for (const OverlayDirectory::Entry& entry : directory_->entries()) {
    const std::string name =
        format::printable(entry.domain) + "@" + std::to_string(entry.point);
    try {
      catalog.point(entry.domain, entry.point, nullptr);
      const format::Point point =
          repository.domain(entry.domain).open_point(entry.point);
      format::OverlayStorage storage =
          directory_->load(entry, identity(point.manifest(), entry.disk));
      const auto image = std::make_shared<OverlayImage>(
          images_below_->open(point, entry.disk).image, std::move(storage));
      const ImageKey key(point.manifest().id, entry.disk);
      images_.with([&](Images& images) {
        images.open[key] = image;
        images.written[key] = image;
      });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
      throw Error(ErrorKind::kUsage,
                  directory_->journal_path(entry).string() +
                      ": is an overlay of " + name +
                      ", which this mount does not show: " + error.what());
    }
  }
}

DiskHandle Overlays::open(const format::Point& point, const std::string& disk) {
  const ImageKey key(point.manifest().id, disk);
  const auto known =
      images_.with([&](Images& images) { return images.open[key].lock(); });
  if (known) return {known, known};
  const OverlayDirectory::Entry entry{point.domain(), point.number(), disk};
  auto image = std::make_shared<OverlayImage>(
      images_below_->open(point, disk).image,
      [this, entry, identity = identity(point.manifest(), disk)] {
        return make_storage(entry, identity);
      });
  return images_.with([&](Images& images) {
    // Somebody may have been faster: there must be one of each.
    auto& slot = images.open[key];
    if (const auto other = slot.lock()) image = other;
    slot = image;
    return DiskHandle{image, image};
  });
}

format::OverlayStorage Overlays::make_storage(
    const OverlayDirectory::Entry& entry,
    const format::OverlayIdentity& identity) {
  format::OverlayStorage storage =
      directory_ ? directory_->create(entry, identity)
                 : format::make_temporary_overlay(identity.size_bytes);
  images_.with([&](Images& images) {
    const ImageKey key(identity.point_id, identity.disk);
    images.written[key] = images.open[key].lock();
  });
  return storage;
}

std::shared_ptr<const OverlayImage> Overlays::written(
    const format::PointId& point, const std::string& disk) {
  return images_.with([&](Images& images) -> Pointer {
    const auto found = images.written.find({point, disk});
    return found == images.written.end() ? nullptr : found->second;
  });
}

bool Overlays::sync_all() {
  const auto written =
      images_.with([](Images& images) { return images.written; });
  bool is_durable = true;
  for (const auto& [key, image] : written) {
    try {
      image->sync();
    } catch (const Error& error) {
      spdlog::error("{}: what was written last may be lost: {}", key.second,
                    error.what());
      is_durable = false;
    }
  }
  return is_durable;
}

}  // namespace backstitch::mount
