#include "format/repository/shared_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "format/base/error.h"
#include "format/base/file.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

// Whether a file is there and has exactly this content, now.
bool holds(const fs::path& path, std::string_view content) {
  constexpr uint64_t kPiece = 1 << 20;
  try {
    const File file = File::open(path, O_RDONLY);
    if (file.size() != content.size()) return false;
    Bytes piece(std::min<uint64_t>(kPiece, content.size()));
    for (uint64_t at = 0; at < content.size(); at += piece.size()) {
      piece.resize(std::min<uint64_t>(kPiece, content.size() - at));
      file.read_at(at, piece);
      if (std::memcmp(piece.data(), content.data() + at, piece.size()) != 0)
        return false;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

bool link_if_same(const fs::path& source, const fs::path& target,
                  std::string_view content) {
  return holds(source, content) && ::link(source.c_str(), target.c_str()) == 0;
}

}  // namespace backstitch::format
