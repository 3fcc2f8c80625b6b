// The stat fields that nodes share.
#pragma once

#include "fuse/tree/node.h"

namespace backstitch::mount {

// A directory that shows what `origin` holds, with its times. Throws kNotFound
// or kFailed when that cannot be examined.
struct stat live_directory(const TreeContext& context,
                           const std::filesystem::path& origin);
// A directory, or a file of `length` bytes of which `data_bytes` are stored,
// as it was at `time`.
struct stat frozen_directory(const TreeContext& context, format::Time time);
struct stat frozen_file(const TreeContext& context, format::Time time,
                        uint64_t length, uint64_t data_bytes);
// The same for one that can be written: what was written counts, and when.
// `written` is its disk, or null when that never was.
struct stat written_file(struct stat frozen, const TreeContext& context,
                         const format::OverlayImage* written);
struct stat symbolic_link(const TreeContext& context,
                          const std::filesystem::path& origin,
                          const std::string& target);

}  // namespace backstitch::mount
