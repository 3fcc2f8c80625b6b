// Disks that are being made, for all or nothing.
#pragma once

#include <memory>
#include <vector>

#include "format/disk_image.h"
#include "src/base/progress.h"
#include "src/libvirt/host.h"
#include "src/libvirt/storage_pool.h"
#include "src/recovery/define_plan.h"
#include "src/recovery/new_file.h"
#include "src/recovery/undo.h"

namespace backstitch::engine {

// What is at a disk's place already, and whether there is room for all: throws
// kUsage, kBusy, kFailed. `data_bytes` are those of the disks, in their order.
void check_room(const std::vector<PlacedDisk>& disks,
                const std::vector<uint64_t>& data_bytes, const Host& host,
                const StoragePool* pool, bool overwrite);

// The calling thread must outlive it.
class NewDisks {
 public:
  // `pool` is null where none is used. All must outlive it.
  NewDisks(Connection& connection, const Host& host, const StoragePool* pool,
           const DefineRequest& request, Undo& undo, Progress& progress)
      : connection_(connection),
        host_(host),
        pool_(pool),
        request_(request),
        undo_(undo),
        progress_(progress) {}

  // Files are hidden until publish(), volumes are there at once; what was made
  // goes by `undo`. Gives where the disk is.
  std::string write(const PlacedDisk& disk, const format::DiskImage& image);
  // Files get their names.
  void publish();

 private:
  struct Published {
    std::unique_ptr<NewFile> file;
    std::string path;
  };
  void write_file(const PlacedDisk& disk, const format::DiskImage& image);
  void write_device(const PlacedDisk& disk, const format::DiskImage& image);
  std::string write_volume(const PlacedDisk& disk,
                           const format::DiskImage& image);
  void upload(const PlacedDisk& disk, const format::DiskImage& image);
  void create_volume(const PlacedDisk& disk, uint64_t size_bytes);
  std::filesystem::path hide(const std::filesystem::path& path);
  void copy(const PlacedDisk& disk, const format::DiskImage& image,
            ImageTarget& target);

  Connection& connection_;
  const Host& host_;
  const StoragePool* const pool_;
  const DefineRequest& request_;
  Undo& undo_;
  Progress& progress_;
  std::vector<Published> files_;
};

}  // namespace backstitch::engine
