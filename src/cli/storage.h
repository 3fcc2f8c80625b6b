// How much space a part of the repository takes.
#pragma once

#include <cstdint>
#include <filesystem>

namespace backstitch::cli {

// Bytes of storage below `path`, holes not counted. What goes away meanwhile,
// or cannot be looked at, counts nothing.
uint64_t used_bytes(const std::filesystem::path& path);

}  // namespace backstitch::cli
