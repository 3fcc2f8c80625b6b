#include "format/repository/verify.h"

#include <algorithm>
#include <map>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/retention.h"
#include "format/repository/verify_disk.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

std::string name_in(const Domain& domain, uint32_t number,
                    const std::string& file) {
  return domain.name() + "/" + point_name(number) + "/" + file;
}

Finding finding_in(const std::string& file, const std::string& what,
                   std::vector<uint32_t> points) {
  Finding finding;
  finding.file = file;
  finding.what = what;
  finding.points = std::move(points);
  return finding;
}

// The points and the remains of a domain that can be read; what cannot is a
// finding. Points are held for the length of the check.
struct Contents {
  std::vector<Point> points;
  std::vector<Manifest> live;
  std::vector<Manifest> dead;
  bool complete = true;  // every manifest could be read
};

Contents open_domain(const Domain& domain, VerifyResult& result) {
  Contents contents;
  for (const uint32_t number : domain.points()) {
    try {
      contents.points.push_back(domain.open_point(number));
      contents.live.push_back(contents.points.back().manifest());
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kNotFound) continue;  // deleted just now
      contents.complete = false;
      result.findings.push_back(finding_in(
          name_in(domain, number, "point.json"), error.what(), {number}));
    }
  }
  try {
    contents.dead = domain.remains();
  } catch (const Error& error) {
    contents.complete = false;
    result.findings.push_back(finding_in(domain.name(), error.what(), {}));
  }
  return contents;
}

void verify_side_files(const Domain& domain, const Point& point,
                       VerifyResult& result) {
  for (const SideFile& file : point.manifest().files) {
    const std::string name = name_in(domain, point.number(), file.name);
    try {
      point.side_file(file.name);
      result.bytes += file.size_bytes;
    } catch (const Error& error) {
      result.findings.push_back(
          finding_in(name, error.what(), {point.number()}));
    }
  }
}

// A directory of a point that no manifest speaks for.
void find_lost_points(const Domain& domain, VerifyResult& result) {
  for (const auto& entry : fs::directory_iterator(domain.path())) {
    const uint32_t number = point_number(entry.path().filename().string());
    if (number == 0) continue;
    const auto has = [&](const char* name) {
      return fs::exists(entry.path() / name);
    };
    if (has("point.json") || has("deleted.json") || has("remains.json"))
      continue;
    const std::string file = name_in(domain, number, "point.json");
    result.findings.push_back(
        finding_in(file, file + ": is missing", {number}));
  }
}

// (chain, disk) of everything there is.
using Islands = std::map<std::pair<uint32_t, std::string>, Island>;

void add_manifest(Islands& islands, const Manifest& manifest, bool live) {
  for (const DiskManifest& disk : manifest.disks) {
    Island& island = islands[{manifest.chain, disk.name}];
    island.disk = disk.name;
    island.files.push_back(
        {manifest.point, manifest.id, disk.map_length, disk.data_length, live});
    if (live) island.maps.push_back({manifest.point, disk.map()});
  }
}

}  // namespace

VerifyResult verify_domain(const Domain& domain, const VerifyOptions& options) {
  if (domain.source() != nullptr) return domain.source()->verify(0, options);
  VerifyResult result;
  find_lost_points(domain, result);
  const Contents contents = open_domain(domain, result);
  result.points = contents.points.size();
  const bool freed = !has_unfinished_deletion(domain);
  Islands islands;
  for (const Manifest& manifest : contents.live)
    add_manifest(islands, manifest, true);
  for (const Manifest& manifest : contents.dead)
    add_manifest(islands, manifest, false);
  for (const Point& point : contents.points)
    verify_side_files(domain, point, result);
  for (auto& [key, island] : islands) {
    island.complete = contents.complete;
    island.freed = freed;
    verify_island(domain, island, options, result);
  }
  return result;
}

VerifyResult verify_point(const Domain& domain, uint32_t number,
                          const VerifyOptions& options) {
  if (domain.source() != nullptr)
    return domain.source()->verify(number, options);
  VerifyResult result;
  const Point point = domain.open_point(number);
  result.points = 1;
  verify_side_files(domain, point, result);
  for (const DiskManifest& disk : point.manifest().disks) {
    Island island;
    island.disk = disk.name;
    island.maps.push_back({number, disk.map()});
    island.files.push_back(
        {number, point.manifest().id, disk.map_length, disk.data_length, true});
    verify_island(domain, island, options, result);
  }
  return result;
}

}  // namespace backstitch::format
