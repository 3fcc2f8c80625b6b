#include "src/recovery/define_disks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/base/units.h"
#include "src/image/image_lock.h"
#include "src/recovery/image_copy.h"
#include "src/recovery/machine_files.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using Kind = PlacedDisk::Kind;

// A file that goes with the object.
class TemporaryFile {
 public:
  TemporaryFile() : path_((folder() / "backstitch-XXXXXX").string()) {
    const Fd fd(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd) throw system_error(errno, "make a file, " + path_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }

  const std::string& path() const { return path_; }
  static fs::path folder() {
    const char* own = std::getenv("TMPDIR");
    return own != nullptr ? own : "/var/tmp";
  }

 private:
  std::string path_;
};

// What a place has to take.
class Room {
 public:
  // The directory may be one that is yet to be made.
  void need_in(fs::path directory, uint64_t bytes) {
    struct stat status {};
    while (::stat(directory.c_str(), &status) != 0) {
      if (errno != ENOENT || !directory.has_relative_path())
        throw system_error(errno, "write to " + directory.string());
      directory = directory.parent_path();
    }
    Place& place = places_[status.st_dev];
    place.directory = directory;
    place.bytes += bytes;
  }
  void check() const {
    for (const auto& [device, place] : places_) {
      std::error_code code;
      const uint64_t available = fs::space(place.directory, code).available;
      if (!code) check(place.directory.string(), available, place.bytes);
    }
  }
  static void check(const std::string& where, uint64_t available,
                    uint64_t bytes) {
    if (bytes <= available) return;
    throw Error(ErrorKind::kFailed, where + " has " + format_bytes(available) +
                                        " free, " + format_bytes(bytes) +
                                        " are needed");
  }

 private:
  struct Place {
    fs::path directory;
    uint64_t bytes = 0;
  };
  std::map<dev_t, Place> places_;
};

void check_device(const PlacedDisk& disk, bool overwrite) {
  refuse_if_in_use(disk.path);
  // Opened and looked at, nothing else.
  block_device_target(disk.path, disk.disk->size_bytes, overwrite,
                      Durability::kLeftToTheKernel);
}

void check_volume(const PlacedDisk& disk, const Host& host,
                  const StoragePool& pool, bool overwrite) {
  const std::string path = pool.path_of(disk.volume);
  if (path.empty()) return;
  if (!overwrite) {
    throw Error(ErrorKind::kUsage, "the pool " + pool.name() +
                                       " has a volume " + disk.volume +
                                       "; --force overwrites it");
  }
  if (host.local()) refuse_if_in_use(path);
}

}  // namespace

void check_room(const std::vector<PlacedDisk>& disks,
                const std::vector<uint64_t>& data_bytes, const Host& host,
                const StoragePool* pool, bool overwrite) {
  Room room;
  uint64_t in_pool = 0;
  for (size_t i = 0; i < disks.size(); ++i) {
    const PlacedDisk& disk = disks[i];
    const bool qcow2 = disk.format == ImageFormat::kQcow2;
    if (disk.kind == Kind::kDevice) {
      check_device(disk, overwrite);
    } else if (disk.kind == Kind::kVolume) {
      check_volume(disk, host, *pool, overwrite);
      in_pool += pool->holds_files() ? data_bytes[i] : disk.disk->size_bytes;
      if (!host.local() && qcow2)
        room.need_in(TemporaryFile::folder(), data_bytes[i]);
    } else {
      for (const fs::path& path : {fs::path(disk.path), disk.options.data_file})
        if (!path.empty()) check_new_file(path, overwrite);
      room.need_in(fs::path(disk.path).parent_path(), data_bytes[i]);
    }
  }
  room.check();
  if (pool != nullptr)
    Room::check("the pool " + pool->name(), pool->free_bytes(), in_pool);
}

std::string NewDisks::write(const PlacedDisk& disk,
                            const format::DiskImage& image) {
  switch (disk.kind) {
    case Kind::kDevice:
      write_device(disk, image);
      return disk.path;
    case Kind::kVolume:
      return write_volume(disk, image);
    case Kind::kFile:
      break;
  }
  write_file(disk, image);
  return disk.path;
}

void NewDisks::copy(const PlacedDisk& disk, const format::DiskImage& image,
                    ImageTarget& target) {
  progress_.begin(disk.disk->name, image.data_bytes());
  copy_image(image, target, progress_);
  target.finish();
  progress_.end();
}

fs::path NewDisks::hide(const fs::path& path) {
  // Whoever still writes them would hold the machine's lock.
  sweep_new_files(path);
  files_.push_back({std::make_unique<NewFile>(path, request_.overwrite), path});
  return files_.back().file->path();
}

void NewDisks::write_file(const PlacedDisk& disk,
                          const format::DiskImage& image) {
  if (disk.format == ImageFormat::kRaw) {
    return copy(
        disk, image,
        *raw_file_target(hide(disk.path), image.size(), request_.durability));
  }
  Qcow2Options options = disk.options;
  if (!options.data_file.empty()) {
    options.data_file = hide(options.data_file);
    // libvirt does that for the image only.
    give_to_hypervisor(connection_, options.data_file);
  }
  const fs::path path = hide(disk.path);
  copy(disk, image,
       *qcow2_target(path, image.size(), request_.durability, options));
  if (options.data_file.empty()) return;
  name_data_file(path, disk.options.data_file);
  if (request_.durability == Durability::kSynced)
    File::open(path, O_RDONLY).sync();
}

void NewDisks::write_device(const PlacedDisk& disk,
                            const format::DiskImage& image) {
  refuse_if_in_use(disk.path);
  const auto target = block_device_target(
      disk.path, image.size(), request_.overwrite, request_.durability);
  try {
    copy(disk, image, *target);
  } catch (const Error& error) {
    throw add_context(error, disk.path + " is only partly written");
  }
}

void NewDisks::create_volume(const PlacedDisk& disk, uint64_t size_bytes) {
  pool_->create(disk.volume, size_bytes);
  undo_.add(
      [this_pool = pool_, volume = disk.volume] { this_pool->remove(volume); });
}

std::string NewDisks::write_volume(const PlacedDisk& disk,
                                   const format::DiskImage& image) {
  const std::string before = pool_->path_of(disk.volume);
  if (!before.empty()) {
    if (host_.local() && pool_->holds_files()) {
      write_file(disk, image);
      return disk.path;
    }
    pool_->remove(disk.volume);
  }
  if (!host_.local()) {
    upload(disk, image);
    return pool_->path_of(disk.volume);
  }
  create_volume(disk, image.size());
  const std::string path = pool_->path_of(disk.volume);
  if (!pool_->holds_files()) {
    copy(disk, image,
         *block_device_target(path, image.size(), true, request_.durability));
  } else if (disk.format == ImageFormat::kQcow2) {
    copy(disk, image,
         *qcow2_target(path, image.size(), request_.durability, disk.options));
  } else {
    copy(disk, image,
         *raw_file_target(path, image.size(), request_.durability));
  }
  return path;
}

// A qcow2 image is made here first: only its bytes can be sent.
void NewDisks::upload(const PlacedDisk& disk, const format::DiskImage& image) {
  const std::string name = disk.disk->name;
  if (disk.format == ImageFormat::kRaw) {
    create_volume(disk, image.size());
    progress_.begin(name, image.data_bytes());
    pool_->upload(disk.volume, image, progress_);
    progress_.end();
    return;
  }
  const TemporaryFile file;
  copy(disk, image,
       *qcow2_target(file.path(), image.size(), Durability::kLeftToTheKernel,
                     disk.options));
  const auto content = file_image(file.path());
  create_volume(disk, content->size());
  progress_.begin(name + ", upload", content->data_bytes());
  pool_->upload(disk.volume, *content, progress_);
  progress_.end();
}

void NewDisks::publish() {
  for (Published& made : files_) {
    std::error_code code;
    const bool there = fs::exists(made.path, code);
    made.file->publish(request_.durability);
    if (!there) undo_.add([path = made.path] { remove_tree(path); });
  }
}

}  // namespace backstitch::engine
