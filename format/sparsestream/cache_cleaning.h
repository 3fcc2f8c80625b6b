// Keeps the cache of archives small (see cache_directory.h).
#pragma once

#include <chrono>
#include <filesystem>

namespace backstitch::format {

// What the cache may hold, in bytes: BACKSTITCH_CACHE_LIMIT (as parse_bytes
// reads it), else 4 GiB.
uint64_t cache_limit();

// Removes entries of files that are gone or were changed, and what unfinished
// runs left; then those that were used longest ago, until no more than `limit`
// bytes are left. A file is not gone when its directory is not there either,
// which may be mounted again: such entries stay for thirty days after they were
// used. Files that are none of the cache's stay. Never fails.
void clean_cache(const std::filesystem::path& directory, uint64_t limit,
                 std::chrono::system_clock::time_point now);

// Tells that `bytes` came into the cache of `directory`. The first time in a
// process, and from then on whenever an eighth of the limit has come, cleans
// it. Thread-safe.
void note_cached(const std::filesystem::path& directory, uint64_t bytes);

}  // namespace backstitch::format
