#include "src/archive/import.h"

#include <map>

#include "format/repository/names.h"
#include "format/repository/writer_lock.h"
#include "format/sparsestream/archive.h"
#include "src/archive/image_source.h"
#include "src/base/stop.h"
#include "src/nbd/copy_pipeline.h"

namespace backstitch::engine {
namespace {

using format::DiskManifest;
using format::Manifest;
using format::Point;

// In DiskManifest::source: the id of the archive's point.
constexpr const char* kImportedAs = "imported-as";

std::string id_of(const Manifest& manifest) {
  return to_hex(ByteView(manifest.id));
}

// Empty when it was not imported.
std::string imported_as(const Manifest& manifest) {
  for (const DiskManifest& disk : manifest.disks) {
    const auto found = disk.source.find(kImportedAs);
    if (found != disk.source.end()) return found->second;
  }
  return "";
}

class Import {
 public:
  Import(const format::Repository& repository, const format::Domain& source,
         const ImportRequest& request, Progress& progress)
      : repository_(repository),
        source_(source),
        request_(request),
        progress_(progress),
        domain_(repository.create_domain(request.name)),
        lock_(domain_),
        caches_(std::make_shared<format::Caches>(kCacheSizes)) {}

  std::vector<ImportedPoint> run() {
    for (const Point& point : domain_.open_points())
      known_[imported_as(point.manifest())] = point.manifest();
    std::vector<ImportedPoint> points;
    for (const uint32_t number : source_.points()) {
      check_stop();
      points.push_back(import_or_note(number));
    }
    return points;
  }

 private:
  ImportedPoint import_or_note(uint32_t number) {
    try {
      return import_one(number);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDamaged) throw;
      ImportedPoint failed;
      failed.from = number;
      failed.error = error.what();
      return failed;
    }
  }

  ImportedPoint import_one(uint32_t number) {
    const Point point = source_.open_point(number);
    const Manifest& manifest = point.manifest();
    ImportedPoint result;
    result.from = number;
    result.level = manifest.level;
    numbers_[id_of(manifest)] = number;
    const auto known = known_.find(id_of(manifest));
    result.was_there = known != known_.end();
    if (!result.was_there) check_order(manifest);
    const Manifest made = result.was_there ? known->second : copy(point);
    result.point = made.point;
    result.stored_bytes = made.stored_bytes();
    return result;
  }

  void check_order(const Manifest& manifest) const {
    const auto foreign = known_.find("");
    if (foreign == known_.end() || foreign->second.time < manifest.time) return;
    throw Error(ErrorKind::kUsage,
                format::printable(domain_.name()) + ": point " +
                    std::to_string(foreign->second.point) +
                    " is newer than what is to be imported, which would "
                    "become the latest; say --name");
  }

  Manifest copy(const Point& point) {
    const Manifest& from = point.manifest();
    format::PointWriter writer(repository_, domain_,
                               format::plan_point(domain_, from.level),
                               request_.compression, caches_);
    for (const DiskManifest& disk : from.disks)
      copy_disk_of(point, disk, writer);
    for (const format::SideFile& file : from.files)
      writer.add_file(file.name, point.side_file(file.name));
    Manifest& manifest = writer.manifest();
    manifest.time = from.time;
    manifest.consistency = from.consistency;
    manifest.tools.insert(from.tools.begin(), from.tools.end());
    check_stop();
    writer.commit();
    return writer.manifest();
  }

  void copy_disk_of(const Point& point, const DiskManifest& disk,
                    format::PointWriter& writer) {
    const auto base = base_of(writer.plan(), disk.name);
    ImageSource source(image_of(point, disk.name), base);
    format::DiskWriter& part = writer.add_disk(disk.name, disk.size_bytes);
    part.manifest().read = base ? "bitmap" : "whole";
    part.manifest().source = disk.source;
    part.manifest().source[kImportedAs] = id_of(point.manifest());
    progress_.begin(format::printable(source_.name()) + "@" +
                        std::to_string(point.number()) + " " + disk.name,
                    disk.size_bytes);
    part.manifest().read_bytes = copy_disk(source, part, progress_).read_bytes;
    progress_.end();
  }

  ImageSource::Image image_of(const Point& point,
                              const std::string& disk) const {
    return std::dynamic_pointer_cast<const format::SparsestreamImage>(
        point.image(disk, caches_));
  }

  // The archive's own image of the point that the new one is compared with.
  // Null when that came from elsewhere: then all is read.
  ImageSource::Image base_of(const format::PointPlan& plan,
                             const std::string& disk) const {
    const auto* base = plan.base(disk);
    if (base == nullptr) return nullptr;
    const auto number = numbers_.find(imported_as(base->point.manifest()));
    if (number == numbers_.end()) return nullptr;
    return image_of(source_.open_point(number->second), disk);
  }

  static constexpr format::CacheSizes kCacheSizes{
      .page_bytes = 16 << 20, .chunk_bytes = 1 << 20, .open_files = 256};

  const format::Repository& repository_;
  const format::Domain& source_;
  const ImportRequest& request_;
  Progress& progress_;
  const format::Domain domain_;
  const format::WriterLock lock_;
  const std::shared_ptr<format::Caches> caches_;
  std::map<std::string, Manifest> known_;  // the newest under ""
  std::map<std::string, uint32_t> numbers_;
};

}  // namespace

std::vector<ImportedPoint> import_domain(const format::Repository& repository,
                                         const format::Domain& source,
                                         const ImportRequest& request,
                                         Progress& progress) {
  return Import(repository, source, request, progress).run();
}

}  // namespace backstitch::engine
