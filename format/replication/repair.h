// Puts good bytes back where damaged ones are.
//
// Refs and manifests hold hashes, so what is right is known wherever a copy
// comes from. Damaged bytes are overwritten in place: files keep their inodes
// and locks, readers see the mended bytes at their next read, and a kill leaves
// at worst what was damaged before. Specified in man/backstitch-format.5,
// REPAIR.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "format/repository/verify.h"
#include "format/repository/writer_lock.h"

namespace backstitch::format {

// The disks of a machine as they are now, perhaps: only what has the right hash
// is taken from there.
class LiveContent {
 public:
  virtual ~LiveContent() = default;
  virtual std::string name() const = 0;
  // The chunk at its place on the disk, zeroes beyond the disk's end. False
  // where there is none or it cannot be read. One thread.
  virtual bool read_chunk(const std::string& disk, uint64_t chunk,
                          std::span<std::byte> out) = 0;
};

// Where good bytes may be found, beside the domain's own other points.
struct RepairSources {
  std::vector<Domain> replicas;     // the same domain in other repositories
  std::vector<LiveContent*> lives;  // not owned
};

struct Mended {
  std::string file;  // DOMAIN/POINT/FILE
  uint64_t offset = 0;
  std::string what;  // "manifest", "header", "length", "side file", "page",
                     // "chunk", "padding"
  std::string disk;  // of a page or a chunk, with its range in bytes
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string from;  // the source; empty where none was needed
};

struct RepairOptions {
  bool dry_run = false;  // only say what would be done
  // As in VerifyOptions, for each pass over the domain: 0 begins one.
  std::function<void(uint64_t bytes)> progress;
};

struct RepairResult {
  std::vector<Mended> mended;
  VerifyResult after;  // its findings are what remains damaged
};

// Checks the domain, or only `points` where some are named, mends what it can
// and checks again. `lock` is the domain's. Damage that nobody has a copy of is
// no failure; throws what keeps good bytes from being written (a full disk, an
// I/O error), with what was mended before durable.
RepairResult repair(const Domain& domain, const std::vector<uint32_t>& points,
                    const RepairSources& sources, const WriterLock& lock,
                    const RepairOptions& options);

}  // namespace backstitch::format
