// The file that says which blocks of a disk its overlay has: a header that
// names the disk, then records that are appended at each sync.
//
//   header   4096 bytes: magic, version, repository, point, disk, size, hash
//   record   48 bytes: magic "OVR1", runs (u32), sequence (u64), durable (u64),
//            0 (u64), hash (128 bit); then 16 bytes a run: first block (u64),
//            blocks (u32), state (u32: 1 data, 2 zero)
//
// All numbers are little-endian. A record's hash is that of the record with
// the header's hash in its place. Later records win. `durable` is the
// sequence up to which all records were durable when this one was written: so a
// bad record at the end is what a crash left of an unfinished sync, while a bad
// one before a record that counts on it is damage.
#pragma once

#include <span>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/chain/file_header.h"
#include "format/overlay/block_map.h"

namespace backstitch::format {

// What an overlay belongs to.
struct OverlayIdentity {
  std::string repository;  // its id, 32 hexadecimal digits
  uint32_t point = 0;
  PointId point_id{};
  std::string disk;
  uint64_t size_bytes = 0;

  friend bool operator==(const OverlayIdentity&,
                         const OverlayIdentity&) = default;
};

// One thread at a time.
class OverlayJournal {
 public:
  // Makes the file, or takes the place of an older one, with what `map` holds.
  // It is there, durable, or not there at all.
  static OverlayJournal create(const std::filesystem::path& path,
                               const OverlayIdentity& identity,
                               const BlockMap& map);
  // Throws kNotFound, kDamaged, or kUnsupported when it is newer.
  static OverlayJournal open(const std::filesystem::path& path);

  const OverlayIdentity& identity() const { return identity_; }
  // What was recorded, up to the end or to what a crash left unfinished; call
  // it once before anything is appended. Throws kDamaged.
  BlockMap replay();
  uint64_t length() const { return end_; }

  // At most kMostRuns. When it throws, nothing was appended.
  void append(std::span<const BlockRun> runs);
  // What was appended is durable; when it throws, nobody can know.
  void sync();

  static constexpr size_t kMostRuns = 16384;

 private:
  OverlayJournal(File file, OverlayIdentity identity, Hash128 seed)
      : file_(std::move(file)), identity_(std::move(identity)), seed_(seed) {}
  struct Record;
  bool read_record(uint64_t offset, uint64_t file_end, Record& record) const;
  void check_tail(uint64_t file_end) const;
  Error damaged(const std::string& what) const;

  File file_;
  OverlayIdentity identity_;
  Hash128 seed_;  // of the header
  uint64_t end_ = kHeaderBytes;
  uint64_t filled_end_ = 0;  // written with zeroes ahead of the records
  uint64_t sequence_ = 0;    // of the last record
  uint64_t durable_ = 0;
};

}  // namespace backstitch::format
