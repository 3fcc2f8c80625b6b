// What is mounted where.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace backstitch::mount {

// The type ("ext4", "fuse.backstitchfs") of what is mounted at exactly this
// absolute path, topmost; nothing when it is no mount point. From
// /proc/self/mountinfo (proc(5)), so that a dead mount is found too.
std::optional<std::string> mounted_type(const std::filesystem::path& path);

}  // namespace backstitch::mount
