// A point of an archive as the rest of the project sees points.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "format/repository/names.h"
#include "format/sparsestream/archive.h"

namespace backstitch::format {
namespace {

constexpr uint64_t kMostSideFile = 64 << 20;

// "2026-11-23T02:05:11.123456", local; a zone may follow.
Time time_of(const std::string& date) {
  std::tm parts{};
  double seconds = 0;
  char zone = 0;
  int zone_hours = 0;
  int zone_minutes = 0;
  const int got =
      std::sscanf(date.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%c%2d:%2d",
                  &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
                  &parts.tm_min, &seconds, &zone, &zone_hours, &zone_minutes);
  if (got < 6 || !(seconds >= 0 && seconds < 62)) return {};
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  parts.tm_isdst = -1;
  const bool is_utc = got >= 7 && (zone == 'Z' || zone == '+' || zone == '-');
  std::time_t count = is_utc ? ::timegm(&parts) : ::mktime(&parts);
  if (got >= 8 && is_utc)
    count -= (zone == '-' ? -1 : 1) * (zone_hours * 3600 + zone_minutes * 60);
  return Time(std::chrono::seconds(count)) +
         std::chrono::milliseconds(std::llround(std::floor(seconds * 1000)));
}

Time time_of(const ArchivePoint& point) {
  if (!point.date.empty()) return time_of(point.date);
  // Raw images say nothing; so does the time of the file, if it was copied.
  const int64_t nanoseconds = point.files.front()->place.stamp.modified_ns;
  return Time(std::chrono::milliseconds(nanoseconds / 1'000'000));
}

uint64_t chunks_of(uint64_t bytes) {
  return (bytes + kChunkBytes - 1) / kChunkBytes;
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

class Content : public PointContent {
 public:
  Content(ArchiveStatePointer state, ArchivePointPointer point,
          std::shared_ptr<StreamPool> streams)
      : state_(std::move(state)),
        point_(std::move(point)),
        streams_(std::move(streams)) {}

  const Manifest& manifest() const override { return manifest_; }

  std::shared_ptr<const DiskImage> image(
      const std::string& disk) const override {
    SparsestreamImage::Layers layers;
    const auto files = layers_of(point_, disk);
    for (const DataFilePointer& file : files)
      layers.push_back(streams_->open(file->place, file->is_raw));
    return std::make_shared<const SparsestreamImage>(
        std::move(layers), files.front()->meta.virtual_size);
  }

  std::string side_file(const std::string& name) const override {
    return StoredFile(places_.at(name)).text(kMostSideFile);
  }

  void describe(const std::string& domain, const std::string& repository) {
    manifest_.repository = repository;
    manifest_.domain = domain;
    manifest_.point = point_->number;
    manifest_.level = point_->level;
    manifest_.parent = point_->base ? point_->base->number : 0;
    ArchivePointPointer full = point_;
    while (full->base) full = full->base;
    manifest_.chain = full->number;
    manifest_.time = time_of(*point_);
    manifest_.consistency = "unknown";
    manifest_.checkpoint =
        point_->level == Level::kCopy ? "" : point_->checkpoint;
    manifest_.compression = "none";
    std::string identity;
    for (const DataFilePointer& file : point_->files) {
      add_disk(*file);
      if (file->meta.compressed) manifest_.compression = "lz4";
      identity += file->place.name + "\n" + file->meta.date + "\n" +
                  std::to_string(file->place.length) + "\n";
      const std::string version = state_->logs.version(*file);
      manifest_.tools["virtnbdbackup"] =
          version.empty() ? "of unknown version" : version;
    }
    const Hash128 id = hash_of(identity);
    std::memcpy(manifest_.id.data(), &id, sizeof id);
    add_side_files();
  }

 private:
  void add_disk(const DataFile& file) {
    DiskManifest disk;
    disk.name = file.disk;
    disk.size_bytes = file.meta.virtual_size;
    disk.data_length = file.place.length;
    disk.read = point_->base ? "bitmap" : "whole";
    disk.read_bytes = file.meta.data_size;
    disk.changed_chunks = chunks_of(file.meta.data_size);
    disk.source["file"] = file.place.in_zip
                              ? file.place.path.string() + ":" + file.place.name
                              : file.place.path.string();
    if (!file.meta.disk_format.empty())
      disk.source["format"] = file.meta.disk_format;
    // No more than this; how much exactly, only the frames tell.
    uint64_t data_bytes = 0;
    for (const DataFilePointer& layer : layers_of(point_, file.disk)) {
      data_bytes += std::min(layer->meta.data_size, disk.size_bytes);
      const std::string why = state_->logs.why_stale(*layer);
      if (!why.empty()) disk.source.try_emplace(kPossiblyStale, why);
    }
    disk.data_chunks = chunks_of(std::min(data_bytes, disk.size_bytes));
    manifest_.disks.push_back(std::move(disk));
  }

  // What a run saved beside the disks carries its ident; of a copy, none.
  const StoredPlace* place_of(const std::string& name) const {
    const auto& others = state_->files.others;
    const auto found = others.find(name);
    return found == others.end() ? nullptr : &found->second;
  }

  void add_file(const std::string& name, const StoredPlace* place) {
    if (place == nullptr || place->length > kMostSideFile) return;
    const std::string text = StoredFile(*place).text(kMostSideFile);
    manifest_.files.push_back({name, text.size(), hash_of(text)});
    places_[name] = *place;
  }

  void add_side_files() {
    const StoredPlace* config = place_of("vmconfig." + point_->ident + ".xml");
    // A machine is described anew by each run; a description is often lost with
    // nothing but a renamed file.
    for (auto at = point_->base; config == nullptr && at; at = at->base)
      config = place_of("vmconfig." + at->ident + ".xml");
    if (config == nullptr) return;
    add_file("domain.xml", config);
    const std::string xml = StoredFile(*config).text(kMostSideFile);
    constexpr std::array<std::pair<const char*, const char*>, 4> kParts = {
        {{"nvram", "nvram.fd"},
         {"loader", "loader.fd"},
         {"kernel", "kernel"},
         {"initrd", "initrd"}}};
    for (const auto& [element, name] : kParts) {
      const std::string path = element_text(xml, element);
      if (path.empty()) continue;
      const std::string base = base_name(path);
      add_file(name, place_of(point_->level == Level::kCopy
                                  ? base
                                  : base + "." + point_->ident));
    }
  }

  const ArchiveStatePointer state_;
  const ArchivePointPointer point_;
  const std::shared_ptr<StreamPool> streams_;
  Manifest manifest_;
  std::map<std::string, StoredPlace> places_;
};

}  // namespace

std::shared_ptr<const PointContent> make_content(
    const ArchiveStatePointer& state, const ArchivePointPointer& point,
    const std::string& domain, const std::string& repository,
    const std::shared_ptr<StreamPool>& streams) {
  if (point->error) throw *point->error;
  auto content = std::make_shared<Content>(state, point, streams);
  content->describe(domain, repository);
  return content;
}

}  // namespace backstitch::format
