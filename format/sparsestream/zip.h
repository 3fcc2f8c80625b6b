// What a zip file holds (APPNOTE.TXT 6.3, with zip64), as far as it lies there
// uncompressed: such entries can be read where they are.
#pragma once

#include <filesystem>
#include <vector>

#include "format/sparsestream/stored_file.h"

namespace backstitch::format {

struct ZipEntry {
  StoredPlace place;
  bool is_stored = true;  // false: compressed or encrypted, no use to us
};

// Files only; names without their directories. Throws kDamaged (cut off, say)
// or kUnsupported.
std::vector<ZipEntry> read_zip(const std::filesystem::path& path);

}  // namespace backstitch::format
