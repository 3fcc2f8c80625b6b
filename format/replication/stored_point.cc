#include "format/replication/stored_point.h"

#include <algorithm>
#include <array>

#include "format/base/error.h"
#include "format/repository/names.h"

namespace backstitch::format {

namespace fs = std::filesystem;

const char* manifest_file(PointState state) {
  switch (state) {
    case PointState::kLive:
      return "point.json";
    case PointState::kDeleted:
      return "deleted.json";
    case PointState::kRemains:
      return "remains.json";
  }
  return "";
}

std::vector<uint32_t> stored_numbers(const Domain& domain) {
  std::vector<uint32_t> numbers;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(domain.path(), code)) {
    const uint32_t number = point_number(entry.path().filename().string());
    if (number != 0) numbers.push_back(number);
  }
  if (code)
    throw system_error(code.value(),
                       "read directory " + domain.path().string());
  std::ranges::sort(numbers);
  return numbers;
}

std::optional<StoredManifest> read_stored(const Domain& domain,
                                          uint32_t number) {
  const fs::path directory = domain.path() / point_name(number);
  // In the order in which a deletion renames it: none is missed.
  for (const PointState state :
       {PointState::kLive, PointState::kDeleted, PointState::kRemains}) {
    const std::string shown =
        domain.name() + "/" + point_name(number) + "/" + manifest_file(state);
    try {
      StoredManifest stored;
      stored.state = state;
      stored.text = read_text(directory / manifest_file(state));
      stored.manifest = parse_manifest(stored.text);
      if (stored.manifest.point != number)
        throw Error(ErrorKind::kDamaged, "belongs to another point");
      return stored;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kNotFound) continue;
      throw error.system_errno() != 0 ? error : add_context(error, shown);
    }
  }
  return {};
}

std::string disk_file(const std::string& disk, FileKind kind) {
  return disk + (kind == FileKind::kMap ? ".map" : ".data");
}

FileHeader header_of(const Manifest& manifest, const std::string& disk,
                     FileKind kind) {
  return {kind, manifest.point, manifest.id, disk};
}

uint64_t length_of(const DiskManifest& disk, FileKind kind) {
  return kind == FileKind::kMap ? disk.map_length : disk.data_length;
}

bool has_header(const File& file, const FileHeader& wanted) {
  try {
    std::array<std::byte, kHeaderBytes> bytes;
    file.read_at(0, bytes);
    return decode_header(bytes) == wanted;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace backstitch::format
