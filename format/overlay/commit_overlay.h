// What was written over a point becomes a point of its own.
#pragma once

#include <functional>

#include "format/chain/codec.h"
#include "format/overlay/overlay_storage.h"
#include "format/repository/manifest.h"
#include "format/repository/repository.h"

namespace backstitch::format {

struct CommitOptions {
  Compression compression;
  // Called now and then with the bytes looked at since; what it throws ends the
  // commit.
  std::function<void(uint64_t bytes)> progress = [](uint64_t) {};
};

// Makes an incremental on the point that the overlays lie over, which must
// still be the newest of its chain: its disks as they are with the overlays,
// and its side files. Stores what differs. The overlays stay as they are.
//
// `disks` are overlays of one point. Throws kNoBase when no point can follow on
// that one any more, kBusy while another writes to the domain, and what
// OverlayDirectory::load and PointWriter throw; then there is no new point.
Manifest commit_overlay(const Repository& repository,
                        const OverlayDirectory& directory,
                        const std::vector<OverlayDirectory::Entry>& disks,
                        const CommitOptions& options);

}  // namespace backstitch::format
