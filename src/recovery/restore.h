// Restores disks of a point to files and block devices.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "format/disk_image.h"
#include "format/repository/repository.h"
#include "src/base/progress.h"
#include "src/recovery/image_target.h"

namespace backstitch::engine {

enum class ImageFormat { kRaw, kQcow2 };

struct RestoreOptions {
  ImageFormat format = ImageFormat::kRaw;
  bool overwrite = false;
  Durability durability = Durability::kSynced;
  uint64_t bandwidth = 0;  // bytes a second at most; 0: no limit
};

// One image to one file or block device. A file appears under its name when all
// of it is there, and not at all otherwise; a device that a failure left half
// written is said to be so. Throws kUsage when the target exists and
// `overwrite` is false, kBusy when a machine or a mount uses it.
void restore_image(const format::DiskImage& image, const std::string& label,
                   const std::filesystem::path& target,
                   const RestoreOptions& options, Progress& progress);

// What restore_point made.
struct RestoredFile {
  std::string disk;  // empty: a side file
  std::filesystem::path path;
  uint64_t size_bytes = 0;
};

bool is_block_device(const std::filesystem::path& path);

// The disks of those names, or all where none is named, in the point's order.
// Throws kNotFound.
std::vector<const format::DiskManifest*> disks_named(
    const format::Manifest& manifest, const std::vector<std::string>& names);

// All disks of a point, or those of these names, to `target`: a directory (as
// vda.raw or vda.qcow2, with the side files unless disks were named), or, for
// one disk, a file or a block device. A directory that is not there is made
// when `target` ends with a slash. Throws kUsage when several disks have one
// target.
std::vector<RestoredFile> restore_point(const format::Point& point,
                                        const std::vector<std::string>& names,
                                        const std::filesystem::path& target,
                                        const RestoreOptions& options,
                                        Progress& progress);

}  // namespace backstitch::engine
