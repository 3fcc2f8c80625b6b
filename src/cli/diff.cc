// backstitch diff: which ranges of the disks are not the same at two points.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/map/walk.h"
#include "format/repository/names.h"
#include "src/archive/image_diff.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using nlohmann::json;

// One side: a point, with the pages of its domain.
struct Side {
  std::string label;
  format::Domain domain;
  format::Point point;

  const format::DiskManifest* disk(const std::string& name) const {
    return point.manifest().disk(name);
  }
  // Of an archive.
  engine::ImageSource::Image image(
      const std::string& name,
      const std::shared_ptr<format::Caches>& caches) const {
    return std::dynamic_pointer_cast<const format::SparsestreamImage>(
        point.image(name, caches));
  }
};

Side open_side(const format::Repository& repository, const std::string& name) {
  const auto [domain, number] = repository.resolve(name);
  return {point_label(domain.name(), number), domain,
          domain.open_point(number)};
}

struct Range {
  uint64_t offset;
  uint64_t length;
};

struct DiskDiff {
  std::string disk;
  std::string only_in;  // label of the side that has it, if not both have
  uint64_t size_a = 0;
  uint64_t size_b = 0;
  uint64_t changed_bytes = 0;
  std::vector<Range> ranges;
};

DiskDiff diff_disk(const Side& a, const Side& b, const std::string& name,
                   const std::shared_ptr<format::Caches>& caches) {
  DiskDiff result{name, "", 0, 0, 0, {}};
  const auto* disk_a = a.disk(name);
  const auto* disk_b = b.disk(name);
  if (disk_a != nullptr) result.size_a = disk_a->size_bytes;
  if (disk_b != nullptr) result.size_b = disk_b->size_bytes;
  if (disk_a == nullptr || disk_b == nullptr) {
    result.only_in = disk_a == nullptr ? b.label : a.label;
    return result;
  }
  const uint64_t end = std::max(result.size_a, result.size_b);
  const auto differs = [&](uint64_t first, uint64_t count) {
    engine::check_stop();
    const uint64_t offset = first * format::kChunkBytes;
    const uint64_t length =
        std::min(count * format::kChunkBytes, end - std::min(end, offset));
    result.ranges.push_back({offset, length});
    result.changed_bytes += length;
  };
  if (a.domain.source() != nullptr) {
    engine::diff_images(a.image(name, caches), b.image(name, caches), differs);
    return result;
  }
  const auto pages_a = a.domain.store(name, caches);
  const auto pages_b = b.domain.store(name, caches);
  format::diff(*pages_a, disk_a->map(), *pages_b, disk_b->map(), differs);
  return result;
}

std::vector<std::string> disk_names(const Side& a, const Side& b,
                                    const std::vector<std::string>& wanted) {
  std::set<std::string> names;
  for (const Side* side : {&a, &b}) {
    for (const auto& disk : side->point.manifest().disks) {
      names.insert(disk.name);
    }
  }
  if (wanted.empty()) return {names.begin(), names.end()};
  for (const auto& name : wanted) {
    if (names.contains(name)) continue;
    throw Error(ErrorKind::kNotFound, "neither " + a.label + " nor " + b.label +
                                          " has a disk '" + name + "'");
  }
  return wanted;
}

json disk_json(const DiskDiff& diff) {
  json ranges = json::array();
  for (const auto& range : diff.ranges) {
    ranges.push_back({{"offset", range.offset}, {"length", range.length}});
  }
  json entry = {{"disk", diff.disk},
                {"size_bytes", {diff.size_a, diff.size_b}},
                {"changed_bytes", diff.changed_bytes},
                {"ranges", ranges}};
  if (!diff.only_in.empty()) entry["only_in"] = diff.only_in;
  return entry;
}

std::string total_line(const DiskDiff& diff) {
  if (!diff.only_in.empty()) {
    return fmt::format("{}: only in {}", diff.disk, diff.only_in);
  }
  std::string line =
      diff.ranges.empty()
          ? fmt::format("{}: no difference", diff.disk)
          : fmt::format("{}: {} in {} of {}", diff.disk,
                        format_bytes(diff.changed_bytes),
                        count_of(diff.ranges.size(), "range"),
                        format_bytes(std::max(diff.size_a, diff.size_b)));
  if (diff.size_a != diff.size_b) {
    line += fmt::format("; size {} to {}", format_bytes(diff.size_a),
                        format_bytes(diff.size_b));
  }
  return line;
}

void print_text(const std::vector<DiskDiff>& diffs) {
  Table table({{"DISK"},
               {"OFFSET", Table::Align::kRight},
               {"LENGTH", Table::Align::kRight},
               {"RANGE"}});
  for (const auto& diff : diffs) {
    for (const auto& range : diff.ranges) {
      table.add({diff.disk, std::to_string(range.offset),
                 std::to_string(range.length),
                 format_range(range.offset, range.offset + range.length)});
    }
  }
  std::string out = table.empty() ? "" : table.to_string() + "\n";
  for (const auto& diff : diffs) {
    out += format::printable(total_line(diff)) + "\n";
  }
  print(out);
}

int run(const Globals& globals, const Values& values) {
  const auto names = texts(values, "point");
  if (names.size() != 2) {
    throw Error(ErrorKind::kUsage, "diff takes two points");
  }
  const auto repository = globals.open_repository();
  const Side a = open_side(repository, names[0]);
  const Side b = open_side(repository, names[1]);
  const auto caches = std::make_shared<format::Caches>();
  std::vector<DiskDiff> diffs;
  for (const auto& name : disk_names(a, b, texts(values, "disk"))) {
    diffs.push_back(diff_disk(a, b, name, caches));
  }
  if (!globals.json) {
    print_text(diffs);
    return kExitOk;
  }
  json disks = json::array();
  for (const auto& diff : diffs) disks.push_back(disk_json(diff));
  print_json({{"points", {a.label, b.label}}, {"disks", disks}});
  return kExitOk;
}

}  // namespace

Command diff_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()(
      "disk", po::value<std::vector<std::string>>()->value_name("DISK"),
      "only this disk (repeatable)");
  return {"diff",
          "POINT POINT",
          "Show which ranges of the disks differ between two points.",
          options,
          {{"point", 2}},
          run};
}

}  // namespace backstitch::cli
