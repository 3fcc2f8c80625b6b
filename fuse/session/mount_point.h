// What must be true of a mount point, and of the machine, before mounting:
// found out first, so that failures can be told in one clear line.
#pragma once

#include <filesystem>
#include <optional>

#include "format/overlay/overlay_storage.h"
#include "fuse/options/mount_options.h"

namespace backstitch::mount {

// Throws kUnsupported when this machine or user cannot mount with FUSE.
void check_fuse(const MountOptions& options);

// The mount point as an absolute path without symbolic links. What a driver of
// ours that died has left mounted there is removed first. Throws kNotFound,
// kUsage (not a directory, or in the way of the repository), kBusy (something
// is mounted there, or it is not empty).
std::filesystem::path prepare_mount_point(
    const std::filesystem::path& mount_point,
    const std::filesystem::path& repository, const MountOptions& options);

// The directory of overlays, made when it is not there, and locked; nothing
// when there shall be none. Throws kUsage when it is in the way of the mount
// point or the repository, and what OverlayDirectory::open throws.
std::optional<format::OverlayDirectory> prepare_overlay(
    const std::filesystem::path& mount_point,
    const std::filesystem::path& repository, const MountOptions& options);

}  // namespace backstitch::mount
