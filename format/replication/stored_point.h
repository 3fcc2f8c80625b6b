// A point's directory as it lies there: a point, or what a deleted one left.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "format/base/file.h"
#include "format/repository/repository.h"

namespace backstitch::format {

enum class PointState { kLive, kDeleted, kRemains };
// "point.json", "deleted.json", "remains.json".
const char* manifest_file(PointState state);

// A manifest and the bytes of its file, which are the same in every state.
struct StoredManifest {
  PointState state = PointState::kLive;
  std::string text;
  Manifest manifest;
  bool live() const { return state == PointState::kLive; }
};

// Numbers of all directories of points, ascending, whatever is in them.
std::vector<uint32_t> stored_numbers(const Domain& domain);

// What the directory of a number has, or nothing where there is no directory or
// no manifest in it. Throws kDamaged, naming the file, and kUnsupported.
std::optional<StoredManifest> read_stored(const Domain& domain,
                                          uint32_t number);

// "vda.map", "vda.data".
std::string disk_file(const std::string& disk, FileKind kind);
// The header that a file of the point must have.
FileHeader header_of(const Manifest& manifest, const std::string& disk,
                     FileKind kind);
// The length that it must have.
uint64_t length_of(const DiskManifest& disk, FileKind kind);
// Whether the file has that header now; a file that cannot be read has not.
bool has_header(const File& file, const FileHeader& wanted);
// The file in which the bytes of a ref lie.
inline FileKind kind_of(const Ref& ref) {
  return ref.kind == RefKind::kPage ? FileKind::kMap : FileKind::kData;
}

}  // namespace backstitch::format
