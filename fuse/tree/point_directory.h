// What the driver remembers of one point: the files that its directory shows,
// and how to open them.
//
//   PointDirectory ── FileEntry, one a file
//   HeldPoint: the point while one of its files is open
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/base/synchronized.h"
#include "format/repository/repository.h"
#include "fuse/image/image_factory.h"
#include "fuse/partitions/partition.h"

namespace backstitch::mount {

// Immutable but for the count, which is a cache.
struct FileEntry {
  enum class Kind { kDisk, kPartition, kSideFile };

  Kind kind = Kind::kDisk;
  std::string name;     // in the directory: "vda.p1.raw"
  std::string source;   // the disk ("vda") or side file that it comes from
  uint64_t offset = 0;  // in the disk
  uint64_t length = 0;
  // Bytes not known to be zero; kUncounted until somebody asks (partitions).
  static constexpr uint64_t kUncounted = UINT64_MAX;
  mutable std::atomic<uint64_t> data_bytes = kUncounted;
};
using FilePointer = std::shared_ptr<const FileEntry>;

// A locked point and the images that were opened from it. Thread-safe.
class HeldPoint {
 public:
  HeldPoint(format::Point point, ImageFactory& images)
      : point_(std::move(point)), images_(images) {}

  const format::Point& point() const { return point_; }
  // The image behind a file; images of one disk share one image of the whole.
  ImagePointer image(const FileEntry& file);
  // The disk behind a disk or partition, to be written; null when it cannot be.
  WritablePointer writable(const FileEntry& file);

 private:
  DiskHandle disk(const std::string& name);

  const format::Point point_;
  ImageFactory& images_;
  Synchronized<std::map<std::string, DiskHandle>> disks_;
};
using HeldPointer = std::shared_ptr<HeldPoint>;

// Thread-safe. Does not hold the point: it may be deleted, and its number used
// again, at any time; hold() then fails.
class PointDirectory {
 public:
  // Reads the manifest; see Domain::open_point for what it throws. `images`
  // must outlive the object.
  PointDirectory(format::Domain domain, uint32_t number, ImageFactory& images);

  uint32_t number() const { return number_; }
  const format::PointId& id() const { return id_; }
  format::Time time() const { return time_; }
  // "vm1/000007", for messages.
  std::string label() const;

  // Whether the manifest file is still the one that was read; the cheap test
  // that stands before each use of what is remembered.
  bool is_current() const;

  // All files. Reads partition tables when called for the first time; a damaged
  // table is logged and has no partitions.
  std::vector<FilePointer> files() const;
  // Nothing when there is no such file. Throws what reading a table throws.
  FilePointer file(const std::string& name) const;

  // Locks the point, or joins who has it locked. Throws kNotFound when it is no
  // longer the point that was read.
  HeldPointer hold() const;
  // Bytes that `du` should count. Counted once, which takes a while for the
  // partitions of a large disk.
  uint64_t data_bytes(const FileEntry& file) const;
  // The same when it is known, else no less, at once.
  uint64_t data_bytes_at_most(const FileEntry& file) const;

 private:
  // Names a version of the manifest file.
  struct Stamp {
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t size = 0;
    int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  std::optional<Stamp> stamp() const;
  void add_files(const format::Manifest& manifest);
  const std::vector<FilePointer>& partitions() const;
  std::vector<FilePointer> read_partitions() const;
  void add_partitions(HeldPoint& held, const FileEntry& disk,
                      std::vector<FilePointer>& found) const;

  const format::Domain domain_;
  const uint32_t number_;
  ImageFactory& images_;
  Stamp stamp_;
  format::PointId id_{};
  format::Time time_{};
  std::vector<FilePointer> files_;  // without partitions
  mutable Synchronized<std::weak_ptr<HeldPoint>> held_;
  mutable Synchronized<std::unique_ptr<const std::vector<FilePointer>>>
      partitions_;
};
using DirectoryPointer = std::shared_ptr<const PointDirectory>;

}  // namespace backstitch::mount
