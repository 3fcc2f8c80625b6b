// Side files that several points share as one inode.
#pragma once

#include <filesystem>
#include <string_view>

namespace backstitch::format {

// Makes `target` another name of `source` if that holds exactly `content` now.
// Kernels and firmware hardly ever change: one inode then serves all points,
// and goes with the last of them. False: `target` must be written.
bool link_if_same(const std::filesystem::path& source,
                  const std::filesystem::path& target,
                  std::string_view content);

}  // namespace backstitch::format
