// A file that is read while it is written anew.
#pragma once

#include <filesystem>
#include <string_view>

namespace backstitch::engine {

// Writes and syncs a file beside `path` and renames it: whoever opens `path`
// sees the old content or the new, never half of it. A link stays one. Throws
// kUsage where `path` is something else than a file, kNotFound and kFailed;
// then all is as it was.
void replace_file(const std::filesystem::path& path, std::string_view content,
                  unsigned mode = 0644);

}  // namespace backstitch::engine
