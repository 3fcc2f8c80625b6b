// backstitch show: all that is known of one point.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/sparsestream/archive.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/records/listing.h"

namespace backstitch::cli {

namespace {

using format::DiskManifest;
using format::Manifest;

// Collects "key  value" lines.
class Lines {
 public:
  void add(const std::string& key, const std::string& value) {
    if (value.empty()) return;
    out_ += fmt::format("{:<13} {}\n", key, format::printable(value));
  }
  void heading(const std::string& text) {
    out_ += "\n" + format::printable(text) + "\n";
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

std::string level_text(const Manifest& manifest) {
  std::string text = format::to_string(manifest.level);
  if (manifest.parent != 0) {
    text += " on " + point_label(manifest.domain, manifest.parent);
    if (manifest.chain != manifest.parent) {
      text += ", chain of " + point_label(manifest.domain, manifest.chain);
    }
  }
  return text;
}

std::string read_text(const DiskManifest& disk) {
  std::string text = disk.read == "bitmap" ? "by dirty bitmap" : disk.read;
  text += ", " + format_bytes(disk.read_bytes);
  return disk.reason.empty() ? text : text + " (" + disk.reason + ")";
}

void add_disk(const DiskManifest& disk, Lines& lines) {
  lines.heading("disk " + disk.name);
  lines.add("  size",
            format_bytes(disk.size_bytes) + ", " +
                format_bytes(std::min(disk.data_chunks * format::kChunkBytes,
                                      disk.size_bytes)) +
                " in use");
  lines.add("  read", read_text(disk));
  const uint64_t zeroed = disk.zeroed_chunks * format::kChunkBytes;
  lines.add(
      "  changed",
      format_bytes(engine::changed_bytes(disk)) +
          (zeroed == 0 ? "" : ", " + format_bytes(zeroed) + " of it to zero"));
  lines.add("  stored", format_bytes(disk.data_length) + " of data, " +
                            format_bytes(disk.map_length) + " of map");
  for (const auto& [key, value] : disk.source)
    if (key != format::kPossiblyStale) lines.add("  " + key, value);
}

std::string describe(const format::Domain& domain, const Manifest& manifest) {
  Lines lines;
  lines.add("point", point_label(domain.name(), manifest.point));
  if (manifest.domain != domain.name()) lines.add("made as", manifest.domain);
  lines.add("time", local_time(manifest.time));
  lines.add("level", level_text(manifest));
  lines.add("consistency", manifest.consistency);
  lines.add("possibly stale", format::why_stale(manifest));
  lines.add("took",
            fmt::format("{:.1f} s",
                        static_cast<double>(manifest.duration_ms) / 1000));
  lines.add("virtual", format_bytes(engine::virtual_bytes(manifest)));
  lines.add("changed", format_bytes(engine::changed_bytes(manifest)));
  lines.add("stored", format_bytes(manifest.stored_bytes()));
  lines.add("compression", manifest.compression);
  lines.add("checkpoint", manifest.checkpoint);
  std::string tools;
  for (const auto& [tool, version] : manifest.tools) {
    tools += (tools.empty() ? "" : ", ") + tool + " " + version;
  }
  lines.add("made by", tools);
  for (const auto& disk : manifest.disks) add_disk(disk, lines);
  if (!manifest.files.empty()) lines.heading("files");
  for (const auto& file : manifest.files) {
    lines.add("  " + file.name, format_bytes(file.size_bytes));
  }
  return lines.text();
}

int run(const Globals& globals, const Values& values) {
  const auto repository = globals.open_repository();
  const auto [domain, number] = repository.resolve(text(values, "point"));
  const format::Point point = domain.open_point(number);
  if (globals.json) {
    print_json(
        {{"path", point.path().string()},
         {"possibly_stale", !format::why_stale(point.manifest()).empty()},
         {"manifest",
          nlohmann::json::parse(format::serialize(point.manifest()))}});
  } else {
    print(describe(domain, point.manifest()));
  }
  return kExitOk;
}

}  // namespace

Command show_command() {
  return {"show", "POINT",        "Show all that is known of a point.",
          {},     {{"point", 1}}, run};
}

}  // namespace backstitch::cli
