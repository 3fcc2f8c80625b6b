#include "src/records/listing.h"

#include "src/base/stop.h"

namespace backstitch::engine {

std::optional<ListedPoint> list_point(const format::Domain& domain,
                                      uint32_t number) {
  try {
    return ListedPoint{number, domain.open_point(number).manifest(), {}};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return std::nullopt;
    return ListedPoint{number, {}, error};
  }
}

std::vector<ListedPoint> list_points(const format::Domain& domain) {
  std::vector<ListedPoint> points;
  for (const uint32_t number : domain.points()) {
    check_stop();
    auto point = list_point(domain, number);
    if (point) points.push_back(std::move(*point));
  }
  return points;
}

uint64_t virtual_bytes(const format::Manifest& manifest) {
  uint64_t bytes = 0;
  for (const auto& disk : manifest.disks) bytes += disk.size_bytes;
  return bytes;
}

uint64_t changed_bytes(const format::DiskManifest& disk) {
  return (disk.changed_chunks + disk.zeroed_chunks) * format::kChunkBytes;
}

uint64_t changed_bytes(const format::Manifest& manifest) {
  uint64_t bytes = 0;
  for (const auto& disk : manifest.disks) bytes += changed_bytes(disk);
  return bytes;
}

std::string number_ranges(const std::vector<uint32_t>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
      ++last;
    if (!text.empty()) text += ", ";
    text += std::to_string(numbers[i]);
    if (last > i) text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace backstitch::engine
