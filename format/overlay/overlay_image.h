// A disk that takes writes and leaves the image below it as it is.
//
// Bytes that are written go to the file of blocks, then the block's state in
// the map changes; a reader asks the map first. A block that is not in the file
// yet is always written there as a whole, completed from below: what the file
// holds at a place that the map does not count is never looked at. A sync makes
// the file durable, then records in the journal what changed in the map. So
// after a crash each block is what it was at the last sync or some time since.
//
// Changes of the same block wait for each other, others run side by side; reads
// wait for nothing.
#pragma once

#include <atomic>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>

#include "format/base/synchronized.h"
#include "format/overlay/overlay_storage.h"
#include "format/overlay/range_lock.h"
#include "format/writable_image.h"

namespace backstitch::format {

// Once a sync has failed nobody knows what the storage holds: from then on all
// changes and syncs fail with EIO, while reading goes on.
class OverlayImage : public WritableImage {
 public:
  using MakeStorage = std::function<OverlayStorage()>;

  // An overlay that there is.
  OverlayImage(std::shared_ptr<const DiskImage> base, OverlayStorage storage);
  // One that is made at the first change.
  OverlayImage(std::shared_ptr<const DiskImage> base, MakeStorage make);

  uint64_t size() const override { return base_->size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override;
  uint64_t next_data(uint64_t offset) const override;
  uint64_t next_hole(uint64_t offset) const override;
  // No less than there are: what is written over data counts twice.
  uint64_t data_bytes() const override;

  void write_at(uint64_t offset, ByteView bytes) override;
  void zero(uint64_t offset, uint64_t length) override;
  void allocate(uint64_t offset, uint64_t length) override;
  bool was_written() const override { return is_made_; }
  void sync() override;

  const DiskImage& base() const { return *base_; }
  // Bytes of blocks in the overlay's file.
  uint64_t written_bytes() const;
  // When it was last changed; only where was_written().
  timespec changed_at() const;
  // The bytes from `offset` on that are in the same state, at least one; the
  // last block ends with the disk.
  struct Extent {
    uint64_t end = 0;
    BlockState state = BlockState::kBase;
  };
  Extent extent_at(uint64_t offset) const;

 private:
  struct Changes {
    BlockMap map;
    uint64_t count = 0;    // of changes so far, those in place included
    uint64_t durable = 0;  // how many of them are durable
  };

  void check_range(uint64_t offset, uint64_t length) const;
  OverlayStorage& storage();
  void put(uint64_t offset, ByteView bytes);
  void write_partial(uint64_t offset, ByteView bytes);
  uint64_t note(uint64_t offset, uint64_t length, BlockState state);
  void zero_blocks(uint64_t offset, uint64_t length);
  void record_changes();
  Error failed_before() const;

  const std::shared_ptr<const DiskImage> base_;
  const MakeStorage make_;
  std::mutex making_;
  std::atomic<bool> is_made_ = false;
  OverlayStorage storage_;  // its map is moved to changes_; see storage()
  mutable Synchronized<Changes> changes_;
  RangeLock ranges_;
  std::mutex syncing_;  // held through a sync; the journal is reached with it
  std::atomic<bool> has_failed_ = false;
};

}  // namespace backstitch::format
