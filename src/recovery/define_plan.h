// Who a restored machine is, and where each of its disks goes.
#pragma once

#include <string>
#include <vector>

#include "format/repository/manifest.h"
#include "src/libvirt/machines.h"
#include "src/libvirt/storage_pool.h"
#include "src/recovery/define.h"
#include "src/recovery/restore.h"

namespace backstitch::engine {

struct Identity {
  std::string name;
  std::string uuid;
  bool renamed = false;  // not what it was called when it was backed up
  // There is a machine with the old UUID or MAC addresses: it gets others.
  bool twin = false;
  std::vector<KnownMachine> replaced;  // definitions that go
};

// Throws kBusy when a machine that would be replaced runs, kUsage when one is
// there and `overwrite` is false.
Identity choose_identity(const format::Manifest& manifest,
                         const std::string& xml, const DefineRequest& request,
                         const std::vector<KnownMachine>& known);

struct PlacedDisk {
  enum class Kind { kFile, kDevice, kVolume };

  const format::DiskManifest* disk = nullptr;
  Kind kind = Kind::kFile;
  std::string path;    // of a volume: where it will be
  std::string volume;  // its name in the pool
  ImageFormat format = ImageFormat::kRaw;
  Qcow2Options options;  // with the final place of the data file

  const char* format_name() const;
};

// `pool` is null where none is used. Throws kUsage where disks have no place,
// or two have the same. What is not as it was is appended to `notes`.
std::vector<PlacedDisk> place_disks(const format::Manifest& manifest,
                                    const DefineRequest& request,
                                    const Identity& identity,
                                    const StoragePool* pool,
                                    std::vector<std::string>& notes);

// Throws kBusy or kUsage when a disk of another machine would be overwritten.
void refuse_others_disks(const std::vector<PlacedDisk>& disks,
                         const Identity& identity,
                         const std::vector<KnownMachine>& known);

}  // namespace backstitch::engine
