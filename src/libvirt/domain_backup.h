// Backup of a libvirt domain: running, paused or off.
//
// No write between two points can be missed, whatever fails in between: the new
// checkpoint is made in the transaction that begins the job; what changed is
// read through the one of the point before; that is deleted only after the new
// point is committed. Every bitmap records on its own, so that the new one can
// go at any time, and does when the point fails. What a killed run left (its
// job, its checkpoint, scratch files), the next one finds by name and removes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/repository/point_writer.h"
#include "src/base/progress.h"
#include "src/image/image_backup.h"
#include "src/libvirt/freeze.h"
#include "src/libvirt/nbd_server.h"

namespace backstitch::engine {

struct DomainBackupRequest {
  std::string domain;                  // name, UUID or number
  std::string name;                    // in the repository; empty: the domain's
  std::optional<format::Level> level;  // empty: auto
  format::Compression compression;
  std::vector<std::string> include;  // disks; empty: all
  std::vector<std::string> exclude;
  std::string scratch;  // directory on the host; empty: beside each image
  FreezeOptions freeze;
  uint64_t bandwidth = 0;  // bytes read a second at most; 0: no limit
  // No point when less has changed; 0: always one. Only for what a bitmap
  // knows: a disk that must be read whole counts as changed.
  uint64_t threshold = 0;
  bool start_paused = false;  // a domain that is off is started for it
  ServerOptions server;
};

struct DomainBackupResult {
  // Empty when less than the threshold changed.
  std::optional<format::Manifest> manifest;
  uint64_t changed_bytes = 0;  // that stayed below the threshold
  std::vector<std::string> warnings;
  // How long the guest's file systems were frozen.
  std::chrono::milliseconds frozen{0};
};

// Makes a point. Throws kNotFound without such a domain, kUsage, kBusy when
// somebody else backs it up, kNoBase, kUnsupported, kInterrupted, kFailed; then
// there is no new point, job or checkpoint. From a thread that ends after all
// it started.
DomainBackupResult backup_domain(const format::Repository& repository,
                                 const std::string& uri,
                                 const DomainBackupRequest& request,
                                 Progress& progress);

// What an incremental would have to read, without making one.
std::vector<DiskEstimate> estimate_domain(const format::Repository& repository,
                                          const std::string& uri,
                                          const DomainBackupRequest& request);

}  // namespace backstitch::engine
