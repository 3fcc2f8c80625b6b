// The 4 KiB header of every .map and .data file.
// Specified in man/backstitch-format.5, FILE HEADER.
#pragma once

#include <array>
#include <string>

#include "format/map/ref.h"

namespace backstitch::format {

using PointId = std::array<std::byte, 16>;

enum class FileKind : uint8_t { kMap = 1, kData = 2 };

struct FileHeader {
  FileKind kind = FileKind::kMap;
  uint32_t point = 0;
  PointId point_id{};
  std::string disk;  // at most 63 bytes

  friend bool operator==(const FileHeader&, const FileHeader&) = default;
};

std::array<std::byte, kHeaderBytes> encode(const FileHeader& header);
// Throws kDamaged on a wrong magic or hash, kUnsupported on a newer version or
// unknown incompatible feature flags.
FileHeader decode_header(std::span<const std::byte, kHeaderBytes> bytes);

}  // namespace backstitch::format
