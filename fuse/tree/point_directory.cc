#include "fuse/tree/point_directory.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>

#include "format/base/error.h"
#include "format/repository/names.h"

namespace backstitch::mount {
namespace {

std::shared_ptr<FileEntry> make_entry(FileEntry::Kind kind, std::string name,
                                      std::string source, uint64_t offset,
                                      uint64_t length) {
  auto entry = std::make_shared<FileEntry>();
  entry->kind = kind;
  entry->name = std::move(name);
  entry->source = std::move(source);
  entry->offset = offset;
  entry->length = length;
  return entry;
}

FilePointer find_name(const std::vector<FilePointer>& files,
                      const std::string& name) {
  const auto found = std::ranges::find(
      files, name, [](const FilePointer& file) { return file->name; });
  return found == files.end() ? nullptr : *found;
}

}  // namespace

PointDirectory::PointDirectory(format::Domain domain, uint32_t number,
                               ImageFactory& images)
    : domain_(std::move(domain)), number_(number), images_(images) {
  // Before the manifest: if it is replaced in between, the stamp is out of date
  // and the next look reads again.
  if (const auto now = stamp()) stamp_ = *now;
  const format::Point point = domain_.open_point(number_);
  id_ = point.manifest().id;
  time_ = point.manifest().time;
  add_files(point.manifest());
}

void PointDirectory::add_files(const format::Manifest& manifest) {
  for (const format::DiskManifest& disk : manifest.disks) {
    auto entry = make_entry(FileEntry::Kind::kDisk, disk.name + ".raw",
                            disk.name, 0, disk.size_bytes);
    entry->data_bytes = disk.data_chunks > disk.size_bytes / format::kChunkBytes
                            ? disk.size_bytes
                            : disk.data_chunks * format::kChunkBytes;
    files_.push_back(std::move(entry));
  }
  for (const format::SideFile& file : manifest.files) {
    // A disk's name wins over a side file that was given the same one.
    if (find_name(files_, file.name) != nullptr) continue;
    auto entry = make_entry(FileEntry::Kind::kSideFile, file.name, file.name, 0,
                            file.size_bytes);
    entry->data_bytes = file.size_bytes;
    files_.push_back(std::move(entry));
  }
}

std::string PointDirectory::label() const {
  return format::printable(domain_.name()) + "/" + format::point_name(number_);
}

std::optional<PointDirectory::Stamp> PointDirectory::stamp() const {
  const std::filesystem::path path = domain_.record(number_);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Stamp{static_cast<uint64_t>(status.st_dev),
               static_cast<uint64_t>(status.st_ino),
               static_cast<uint64_t>(status.st_size),
               static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                   status.st_mtim.tv_nsec};
}

bool PointDirectory::is_current() const { return stamp() == stamp_; }

std::vector<FilePointer> PointDirectory::files() const {
  std::vector<FilePointer> all = files_;
  const std::vector<FilePointer>& found = partitions();
  all.insert(all.end(), found.begin(), found.end());
  std::ranges::sort(all, {},
                    [](const FilePointer& file) { return file->name; });
  return all;
}

FilePointer PointDirectory::file(const std::string& name) const {
  if (FilePointer found = find_name(files_, name)) return found;
  // Only a name like a partition's is worth reading a table for.
  if (!name.ends_with(".raw") || name.find(".p") == std::string::npos)
    return nullptr;
  return find_name(partitions(), name);
}

HeldPointer PointDirectory::hold() const {
  return held_.with([&](std::weak_ptr<HeldPoint>& held) {
    if (HeldPointer already = held.lock()) return already;
    auto now =
        std::make_shared<HeldPoint>(domain_.open_point(number_), images_);
    if (now->point().manifest().id != id_) {
      throw Error(ErrorKind::kNotFound,
                  label() + ": was deleted, and its number used again");
    }
    held = now;
    return now;
  });
}

const std::vector<FilePointer>& PointDirectory::partitions() const {
  // Once there the list never changes, so that it may be used unlocked.
  return *partitions_.with([&](auto& partitions) {
    if (!partitions) {
      partitions =
          std::make_unique<const std::vector<FilePointer>>(read_partitions());
    }
    return partitions.get();
  });
}

std::vector<FilePointer> PointDirectory::read_partitions() const {
  std::vector<FilePointer> found;
  const HeldPointer held = hold();
  for (const FilePointer& file : files_) {
    if (file->kind != FileEntry::Kind::kDisk) continue;
    try {
      add_partitions(*held, *file, found);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDamaged) throw;
      spdlog::error("{}/{}: partitions are not shown: {}", label(), file->name,
                    error.what());
    }
  }
  return found;
}

void PointDirectory::add_partitions(HeldPoint& held, const FileEntry& disk,
                                    std::vector<FilePointer>& found) const {
  for (const Partition& part : parse_partitions(*held.image(disk))) {
    const std::string name =
        disk.source + ".p" + std::to_string(part.number) + ".raw";
    if (find_name(files_, name) != nullptr) continue;
    found.push_back(make_entry(FileEntry::Kind::kPartition, name, disk.source,
                               part.offset, part.length));
  }
}

uint64_t PointDirectory::data_bytes_at_most(const FileEntry& file) const {
  const uint64_t bytes = file.data_bytes;
  return bytes == FileEntry::kUncounted ? file.length : bytes;
}

uint64_t PointDirectory::data_bytes(const FileEntry& file) const {
  uint64_t bytes = file.data_bytes;
  if (bytes == FileEntry::kUncounted) {
    try {
      bytes = hold()->image(file)->data_bytes();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDamaged) throw;
      // A map that cannot be walked whole must not hide the file.
      bytes = file.length;
    }
    file.data_bytes = bytes;
  }
  return bytes;
}

}  // namespace backstitch::mount
