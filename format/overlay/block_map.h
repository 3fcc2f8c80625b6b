// Where the bytes of each 4 KiB block of an overlaid disk are.
//
//   base   nothing was written: the image below has them
//   data   in the overlay's file of blocks, at the disk's own offset
//   zero   nowhere: the block was zeroed or discarded
//
// The map knows leaves of 8192 blocks (32 MiB of disk), made when something in
// them is first written; one that was zeroed as a whole needs no bits. So its
// memory follows what was written, at most 1/8192 of the disk.
//
// It also knows which blocks changed since they were last made durable. A sync
// takes that set at its beginning (begin_sync), makes the blocks' bytes
// durable, then records what collect() gives, while writing goes on.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace backstitch::format {

inline constexpr uint64_t kBlockBytes = 4096;

enum class BlockState : uint8_t { kBase = 0, kData = 1, kZero = 2 };

struct BlockRun {
  uint64_t first = 0;
  uint64_t count = 0;
  BlockState state = BlockState::kBase;

  uint64_t end() const { return first + count; }
  friend bool operator==(const BlockRun&, const BlockRun&) = default;
};

// Not thread-safe.
class BlockMap {
 public:
  static constexpr uint64_t kLeafBlocks = 8192;

  // The blocks from `block` on that are in the same state, up to `end` at most
  // and perhaps not all of them.
  BlockRun run_at(uint64_t block, uint64_t end) const;
  // `state` is kData or kZero. Blocks that were in another state are noted as
  // changed. Returns by how many the blocks in the state kData became fewer.
  uint64_t set(uint64_t first, uint64_t count, BlockState state);
  // How many blocks are in the state kData.
  uint64_t data_blocks() const { return data_blocks_; }
  // The end of the last leaf; all blocks from there on are kBase.
  uint64_t end() const;

  // Whether a block changed since the last begin_sync.
  bool has_changes() const { return !dirty_leaves_.empty(); }
  // Turns the changed blocks into those being synced. None may be already.
  void begin_sync();
  // Leaves with blocks being synced, ascending.
  const std::set<uint64_t>& syncing_leaves() const { return syncing_leaves_; }
  // What must be recorded of one of them; at most kLeafBlocks runs. A block
  // that changed again in the meantime comes as zero: it was zero at some time
  // since (the two states it changes between are data and zero), while its data
  // need not be durable.
  void collect(uint64_t number, std::vector<BlockRun>& runs) const;
  // Blocks whose sync failed count as changed again.
  void end_sync(bool is_durable);

 private:
  static constexpr uint64_t kWords = kLeafBlocks / 64;
  using Bits = std::array<uint64_t, kWords>;
  struct Blocks {
    Bits data{};
    Bits zero{};
    Bits dirty{};
    Bits syncing{};
  };
  struct Leaf {
    std::unique_ptr<Blocks> blocks = std::make_unique<Blocks>();
    // Without `blocks` all are zero, and these stand for all of them.
    bool all_dirty = false;
    bool all_syncing = false;
  };

  static BlockState state_in(const Blocks& blocks, uint64_t index);
  static void spell_out(Leaf& leaf);
  void zero_whole(uint64_t number);
  bool set_in_leaf(Blocks& blocks, uint64_t begin, uint64_t end,
                   BlockState state);

  std::map<uint64_t, Leaf> leaves_;
  std::set<uint64_t> dirty_leaves_;
  std::set<uint64_t> syncing_leaves_;
  uint64_t data_blocks_ = 0;
};

}  // namespace backstitch::format
