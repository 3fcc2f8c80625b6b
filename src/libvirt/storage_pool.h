// Volumes of a libvirt storage pool.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "format/disk_image.h"
#include "src/base/progress.h"
#include "src/libvirt/connection.h"

namespace backstitch::engine {

using PoolHandle = LibvirtHandle<virStoragePool, virStoragePoolFree>;
using VolumeHandle = LibvirtHandle<virStorageVol, virStorageVolFree>;

// Belongs to one thread at a time, and to the connection.
class StoragePool {
 public:
  // Throws kNotFound when there is none of that name, kUnsupported for a kind
  // whose volumes have no paths, kFailed for one that is not started.
  StoragePool(Connection& connection, const std::string& name);
  // The one whose volumes lie in this directory; empty when there is none.
  static std::optional<StoragePool> at_directory(Connection& connection,
                                                 const std::string& directory);

  const std::string& name() const { return name_; }
  // Where its volumes are: a directory, or something like /dev/vg.
  const std::string& directory() const { return directory_; }
  // Whether volumes are files; block devices otherwise.
  bool holds_files() const { return holds_files_; }
  uint64_t free_bytes() const;

  // The path of a volume; empty when there is none of that name.
  std::string path_of(const std::string& volume) const;
  // A new one, empty as far as it is a file; its path. Throws kFailed with
  // libvirt's words, for one that is there already too.
  std::string create(const std::string& volume, uint64_t size_bytes) const;
  void remove(const std::string& volume) const;
  // Writes an image into a new volume through libvirt, wherever it is. Reports
  // the bytes of data.
  void upload(const std::string& volume, const format::DiskImage& image,
              Progress& progress) const;
  // Lets libvirt look again at what the volumes are. Never fails.
  void refresh() const;

 private:
  StoragePool(Connection& connection, PoolHandle pool);
  VolumeHandle find(const std::string& volume) const;
  VolumeHandle need(const std::string& volume) const;

  Connection* connection_;
  PoolHandle pool_;
  std::string name_;
  std::string directory_;
  bool holds_files_ = false;
};

// A local file as an image: what it has no blocks for is a hole.
std::unique_ptr<format::DiskImage> file_image(const std::string& path);

}  // namespace backstitch::engine
