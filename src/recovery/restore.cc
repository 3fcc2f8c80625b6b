#include "src/recovery/restore.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/repository/names.h"
#include "src/image/image_lock.h"
#include "src/recovery/image_copy.h"
#include "src/recovery/new_file.h"
#include "src/recovery/throttled_image.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using format::DiskImage;
using format::DiskManifest;

void restore_device(const DiskImage& image, const fs::path& device,
                    const RestoreOptions& options, Progress& progress) {
  if (options.format != ImageFormat::kRaw) {
    throw Error(ErrorKind::kUsage,
                device.string() + " is a block device: it takes raw only");
  }
  refuse_if_in_use(device);
  const auto target = block_device_target(
      device, image.size(), options.overwrite, options.durability);
  try {
    copy_image(image, *target, progress);
    target->finish();
  } catch (const Error& error) {
    throw add_context(error, device.string() + " is only partly written");
  }
}

void restore_file(const DiskImage& image, const fs::path& path,
                  const RestoreOptions& options, Progress& progress) {
  NewFile file(path, options.overwrite);
  const auto target =
      options.format == ImageFormat::kQcow2
          ? qcow2_target(file.path(), image.size(), options.durability)
          : raw_file_target(file.path(), image.size(), options.durability);
  copy_image(image, *target, progress);
  target->finish();
  file.publish(options.durability);
}

const char* suffix(ImageFormat format) {
  return format == ImageFormat::kQcow2 ? ".qcow2" : ".raw";
}

// A directory, as which files; checked before anything is written.
class IntoDirectory {
 public:
  IntoDirectory(const format::Point& point, fs::path directory,
                const RestoreOptions& options)
      : point_(point), directory_(std::move(directory)), options_(options) {
    std::error_code code;
    fs::create_directories(directory_, code);
    if (code) {
      throw system_error(code.value(),
                         "create directory " + directory_.string());
    }
  }

  fs::path disk_path(const DiskManifest& disk) const {
    return directory_ / (disk.name + suffix(options_.format));
  }
  void check(const std::vector<const DiskManifest*>& disks, bool files) const {
    for (const DiskManifest* disk : disks)
      check_new_file(disk_path(*disk), options_.overwrite);
    if (!files) return;
    for (const auto& file : point_.manifest().files)
      check_new_file(directory_ / file.name, options_.overwrite);
  }
  void write_files(std::vector<RestoredFile>& made) const {
    for (const auto& file : point_.manifest().files) {
      const std::string content = point_.side_file(file.name);
      NewFile side(directory_ / file.name, options_.overwrite);
      const File out = File::open(side.path(), O_WRONLY);
      out.write_at(0, std::as_bytes(std::span(content)));
      if (options_.durability == Durability::kSynced) out.sync();
      side.publish(options_.durability);
      made.push_back({"", directory_ / file.name, content.size()});
    }
  }

 private:
  const format::Point& point_;
  const fs::path directory_;
  const RestoreOptions& options_;
};

}  // namespace

std::vector<const DiskManifest*> disks_named(
    const format::Manifest& manifest, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (manifest.disk(name) != nullptr) continue;
    throw Error(ErrorKind::kNotFound, format::printable(manifest.domain) + "@" +
                                          std::to_string(manifest.point) +
                                          " has no disk " + name);
  }
  std::vector<const DiskManifest*> disks;
  for (const DiskManifest& disk : manifest.disks) {
    if (names.empty() || std::ranges::find(names, disk.name) != names.end())
      disks.push_back(&disk);
  }
  return disks;
}

bool is_block_device(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
}

void restore_image(const DiskImage& image, const std::string& label,
                   const fs::path& target, const RestoreOptions& options,
                   Progress& progress) {
  if (options.bandwidth != 0) {
    const ThrottledImage slow(image, options.bandwidth);
    RestoreOptions others = options;
    others.bandwidth = 0;
    return restore_image(slow, label, target, others, progress);
  }
  progress.begin(label, image.data_bytes());
  if (is_block_device(target)) {
    restore_device(image, target, options, progress);
  } else {
    restore_file(image, target, options, progress);
  }
  progress.end();
}

std::vector<RestoredFile> restore_point(const format::Point& point,
                                        const std::vector<std::string>& names,
                                        const fs::path& target,
                                        const RestoreOptions& options,
                                        Progress& progress) {
  const auto disks = disks_named(point.manifest(), names);
  const auto caches = std::make_shared<format::Caches>();
  std::vector<RestoredFile> made;
  const auto restore_one = [&](const DiskManifest& one, const fs::path& path) {
    restore_image(*point.image(one.name, caches), one.name, path, options,
                  progress);
    made.push_back({one.name, path, one.size_bytes});
  };
  if (fs::is_directory(target) || !target.has_filename()) {
    const IntoDirectory directory(point, target, options);
    directory.check(disks, names.empty());
    for (const DiskManifest* one : disks)
      restore_one(*one, directory.disk_path(*one));
    if (names.empty()) directory.write_files(made);
    return made;
  }
  if (disks.size() > 1) {
    throw Error(ErrorKind::kUsage,
                "the point has " + std::to_string(disks.size()) +
                    " disks: name one with --disk, or give a directory (" +
                    target.string() + "/)");
  }
  restore_one(*disks.front(), target);
  return made;
}

}  // namespace backstitch::engine
