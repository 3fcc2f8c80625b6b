#include "format/sparsestream/cache_cleaning.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <vector>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/sparsestream/cache_directory.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

constexpr uint64_t kDefaultLimit = uint64_t{4} << 30;
constexpr auto kUnmounted = std::chrono::days(30);
constexpr auto kUnfinished = std::chrono::hours(1);
constexpr size_t kKeyDigits = 32;

// The files of one stream.
struct Entry {
  std::vector<fs::path> files;
  fs::path index;  // empty: there is none
  uint64_t bytes = 0;
  Clock::time_point used;
};

Clock::time_point modified(const struct stat& status) {
  return Clock::time_point(std::chrono::seconds(status.st_mtim.tv_sec));
}

// The key that a file of the cache is called by; empty: it is none.
std::string key_of(const std::string& name) {
  const std::string key = name.substr(0, kKeyDigits);
  const std::string suffix = name.substr(key.size());
  const bool is_key =
      key.size() == kKeyDigits &&
      key.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_key && (suffix == ".index" || suffix == ".windows") ? key : "";
}

// ".KEY.index.PID", while an index is written.
bool is_unfinished(const std::string& name) {
  const size_t end = name.find_last_of('.');
  return name.starts_with(".") && end > 0 &&
         !key_of(name.substr(1, end - 1)).empty();
}

std::map<std::string, Entry> entries_of(const fs::path& directory,
                                        Clock::time_point now) {
  constexpr uint64_t kBlockBytes = 512;  // of st_blocks, see stat(3type)
  std::map<std::string, Entry> entries;
  std::error_code code;
  for (fs::directory_iterator at(directory, code);
       !code && at != fs::directory_iterator(); at.increment(code)) {
    const std::string name = at->path().filename().string();
    struct stat status {};
    if (::lstat(at->path().c_str(), &status) != 0) continue;
    std::error_code ignored;
    if (is_unfinished(name) && now - modified(status) > kUnfinished)
      fs::remove(at->path(), ignored);
    const std::string key = key_of(name);
    if (key.empty()) continue;
    Entry& entry = entries[key];
    entry.files.push_back(at->path());
    if (name.ends_with(".index")) entry.index = at->path();
    entry.bytes += static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
    entry.used = std::max(entry.used, modified(status));
  }
  return entries;
}

bool is_of_use(const Entry& entry, Clock::time_point now) {
  const auto origin = origin_of_index(entry.index);
  if (!origin) return false;
  std::error_code code;
  const bool is_there = fs::exists(origin->path, code);
  // What cannot be looked at may be as it was.
  if (code) return now - entry.used < kUnmounted;
  if (!is_there) {
    return !fs::exists(origin->path.parent_path(), code) &&
           now - entry.used < kUnmounted;
  }
  try {
    return stamp_of(origin->path) == origin->stamp;
  } catch (const Error&) {
    return false;
  }
}

void remove(const Entry& entry) {
  std::error_code ignored;
  for (const fs::path& file : entry.files) fs::remove(file, ignored);
}

}  // namespace

uint64_t cache_limit() {
  const char* said = std::getenv("BACKSTITCH_CACHE_LIMIT");
  if (said == nullptr) return kDefaultLimit;
  try {
    return parse_bytes(said, "BACKSTITCH_CACHE_LIMIT");
  } catch (const Error&) {
    return kDefaultLimit;  // nobody shall fail for the cache's sake
  }
}

void clean_cache(const fs::path& directory, uint64_t limit,
                 Clock::time_point now) {
  std::vector<Entry> kept;
  uint64_t bytes = 0;
  for (auto& [key, entry] : entries_of(directory, now)) {
    if (is_of_use(entry, now)) {
      bytes += entry.bytes;
      kept.push_back(std::move(entry));
    } else {
      remove(entry);
    }
  }
  std::ranges::sort(kept, {}, &Entry::used);
  for (const Entry& entry : kept) {
    if (bytes <= limit) break;
    bytes -= entry.bytes;
    remove(entry);
  }
}

void note_cached(const fs::path& directory, uint64_t bytes) {
  static std::atomic<bool> was_cleaned = false;
  static std::atomic<uint64_t> since = 0;
  const uint64_t limit = cache_limit();
  const bool is_first = !was_cleaned.exchange(true);
  if ((since += bytes) <= limit / 8 && !is_first) return;
  since = 0;
  clean_cache(directory, limit, Clock::now());
}

}  // namespace backstitch::format
