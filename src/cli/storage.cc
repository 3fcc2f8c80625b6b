#include "src/cli/storage.h"

#include <sys/stat.h>

namespace backstitch::cli {

namespace fs = std::filesystem;

uint64_t used_bytes(const fs::path& path) {
  constexpr uint64_t kBlockBytes = 512;  // of st_blocks, see stat(3type)
  uint64_t bytes = 0;
  std::error_code error;
  // An archive may be one file.
  if (fs::is_regular_file(path, error)) return fs::file_size(path, error);
  const auto options = fs::directory_options::skip_permission_denied;
  fs::recursive_directory_iterator at(path, options, error);
  for (; !error && at != fs::recursive_directory_iterator();
       at.increment(error)) {
    struct stat status {};
    if (::lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      bytes += static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
    }
  }
  return bytes;
}

}  // namespace backstitch::cli
