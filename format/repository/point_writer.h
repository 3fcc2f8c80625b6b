// Makes a point: everything is written into a hidden directory, and is a point
// only after commit().
//
//   PointWriter ── DiskWriter, one a disk
//   ChunkSifter, one a thread: decides what of a chunk must be stored
//
// The caller holds the domain's WriterLock. A writer that goes out of scope
// without commit() removes what it made.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/chain/codec.h"
#include "format/chain/disk_store.h"
#include "format/map/map_writer.h"
#include "format/repository/append_file.h"
#include "format/repository/manifest.h"
#include "format/repository/repository.h"

namespace backstitch::format {

// What a chunk comes to, once it has been compared with what is stored.
struct SiftedChunk {
  enum class Kind : uint8_t { kSame, kZero, kNew } kind = Kind::kSame;
  Codec codec = Codec::kStored;
  Hash128 hash;
  ByteView bytes;  // kNew: as they will be stored; see ChunkSifter::sift
  bool replaces_data = false;  // the base has data here
};

class DiskWriter;

// Hashes, compares with the base, and compresses. One for each thread; several
// may work for one DiskWriter at once.
class ChunkSifter {
 public:
  explicit ChunkSifter(const DiskWriter& disk);

  // `content` has kChunkBytes (zeroes beyond the disk's end). The result's
  // bytes lie in `content` or in the sifter and are good until the next call.
  // A stored chunk that cannot be read for comparison counts as different.
  SiftedChunk sift(uint64_t chunk, ByteView content);

 private:
  bool same_bytes(const Ref& old, ByteView content);

  const DiskWriter& disk_;
  ChunkEncoder encoder_;
  Bytes old_;
};

// One disk of the point being made. Calls to put_* come from one thread, with
// ascending chunk numbers; chunks never mentioned stay as in the base.
class DiskWriter {
 public:
  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t chunks() const { return chunk_count(size_bytes_); }

  void put(uint64_t chunk, const SiftedChunk& content);
  void put_zeroes(uint64_t first, uint64_t count);
  // The rest of what the manifest says of the disk.
  DiskManifest& manifest() { return manifest_; }
  // Bytes appended so far.
  uint64_t stored_bytes() const {
    return map_file_.length() + data_file_.length();
  }

 private:
  friend class PointWriter;
  friend class ChunkSifter;
  // `base` is the disk in the point that this one builds on, or nullptr.
  DiskWriter(std::shared_ptr<const DiskStore> store, const DiskManifest* base,
             const FileHeader& header, const std::filesystem::path& directory,
             uint64_t size_bytes, Compression compression);
  void finish();  // writes the map and syncs both files

  const std::shared_ptr<const DiskStore> store_;
  const MapReader base_;
  const uint64_t size_bytes_;
  const uint32_t point_;
  const Compression compression_;
  AppendFile map_file_;
  AppendFile data_file_;
  MapWriter map_;
  DiskManifest manifest_;
};

// What a new point builds on, decided from the level that was asked for.
struct PointPlan {
  Level level = Level::kFull;
  uint32_t parent = 0;
  uint32_t chain = 0;  // 0: begins its own
  // For each disk that the chain has: the newest point (incremental), or the
  // full (differential), to compare with. Keeps them from being deleted.
  struct Base {
    std::string disk;
    Point point;
  };
  std::vector<Base> bases;

  const Base* base(const std::string& disk) const;
};

// `level` empty means auto: incremental where there is a chain, else full.
// Throws kNoBase when an incremental or differential has nothing to build on.
PointPlan plan_point(const Domain& domain, std::optional<Level> level);

class PointWriter {
 public:
  PointWriter(const Repository& repository, const Domain& domain,
              PointPlan plan, Compression compression,
              std::shared_ptr<Caches> caches);
  ~PointWriter();

  uint32_t number() const { return manifest_.point; }
  const PointPlan& plan() const { return plan_; }
  // time, duration, consistency, checkpoint and tools are the caller's to set.
  Manifest& manifest() { return manifest_; }

  // Throws kUsage on a bad name or one that was added before.
  DiskWriter& add_disk(const std::string& name, uint64_t size_bytes);
  // One that is as in the point before shares its bytes on disk.
  void add_file(const std::string& name, std::string_view content);

  // Makes everything durable, then visible. After a throw there is no point.
  void commit();

 private:
  void check_readable() const;
  bool link_from_parent(const SideFile& file, std::string_view content) const;

  const Domain domain_;
  const PointPlan plan_;
  const Compression compression_;
  const std::shared_ptr<Caches> caches_;
  std::filesystem::path directory_;
  Manifest manifest_;
  std::vector<std::unique_ptr<DiskWriter>> disks_;
  bool committed_ = false;
};

}  // namespace backstitch::format
