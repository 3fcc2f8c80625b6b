#include "format/overlay/block_map.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace backstitch::format {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};

// The bits of word `word` that belong to [begin, end).
uint64_t mask_of(uint64_t word, uint64_t begin, uint64_t end) {
  uint64_t mask = kAll;
  if (begin > word * 64) mask &= kAll << (begin - word * 64);
  if (end < word * 64 + 64) mask &= kAll >> (word * 64 + 64 - end);
  return mask;
}

bool any(const auto& bits) {
  return std::ranges::any_of(bits, [](uint64_t word) { return word != 0; });
}

void append(std::vector<BlockRun>& runs, uint64_t block, uint64_t count,
            BlockState state) {
  // A record has 32 bits for the count.
  constexpr uint64_t kMostBlocks = uint64_t{1} << 31;
  if (!runs.empty() && runs.back().end() == block &&
      runs.back().state == state && runs.back().count + count <= kMostBlocks) {
    runs.back().count += count;
  } else {
    runs.push_back({block, count, state});
  }
}

}  // namespace

BlockState BlockMap::state_in(const Blocks& blocks, uint64_t index) {
  const uint64_t bit = uint64_t{1} << index % 64;
  if ((blocks.data[index / 64] & bit) != 0) return BlockState::kData;
  if ((blocks.zero[index / 64] & bit) != 0) return BlockState::kZero;
  return BlockState::kBase;
}

BlockRun BlockMap::run_at(uint64_t block, uint64_t end) const {
  const uint64_t number = block / kLeafBlocks;
  const auto leaf = leaves_.lower_bound(number);
  if (leaf == leaves_.end()) return {block, end - block, BlockState::kBase};
  if (leaf->first != number) {
    const uint64_t next = std::min(end, leaf->first * kLeafBlocks);
    return {block, next - block, BlockState::kBase};
  }
  const uint64_t leaf_end = std::min(end, (number + 1) * kLeafBlocks);
  if (!leaf->second.blocks) return {block, leaf_end - block, BlockState::kZero};
  const Blocks& blocks = *leaf->second.blocks;
  const BlockState state = state_in(blocks, block % kLeafBlocks);
  uint64_t next = block + 1;
  while (next < leaf_end && state_in(blocks, next % kLeafBlocks) == state)
    ++next;
  return {block, next - block, state};
}

uint64_t BlockMap::set(uint64_t first, uint64_t count, BlockState state) {
  const uint64_t data_before = data_blocks_;
  assert(state != BlockState::kBase);
  const uint64_t end = first + count;
  for (uint64_t at = first; at < end;) {
    const uint64_t number = at / kLeafBlocks;
    const uint64_t begins = number * kLeafBlocks;
    const uint64_t next = std::min(end, begins + kLeafBlocks);
    if (state == BlockState::kZero && next - at == kLeafBlocks) {
      zero_whole(number);
    } else {
      Leaf& leaf = leaves_[number];
      spell_out(leaf);
      if (set_in_leaf(*leaf.blocks, at - begins, next - begins, state))
        dirty_leaves_.insert(number);
    }
    at = next;
  }
  return data_before - std::min(data_before, data_blocks_);
}

bool BlockMap::set_in_leaf(Blocks& blocks, uint64_t begin, uint64_t end,
                           BlockState state) {
  bool has_changed = false;
  for (uint64_t word = begin / 64; word * 64 < end; ++word) {
    const uint64_t mask = mask_of(word, begin, end);
    uint64_t& data = blocks.data[word];
    uint64_t& zero = blocks.zero[word];
    const uint64_t before = state == BlockState::kData ? data : zero;
    data_blocks_ -= static_cast<uint64_t>(std::popcount(data & mask));
    data &= ~mask;
    zero &= ~mask;
    (state == BlockState::kData ? data : zero) |= mask;
    data_blocks_ += static_cast<uint64_t>(std::popcount(data & mask));
    blocks.dirty[word] |= mask & ~before;
    has_changed |= (mask & ~before) != 0;
  }
  return has_changed;
}

void BlockMap::zero_whole(uint64_t number) {
  Leaf& leaf = leaves_[number];
  if (!leaf.blocks) return;
  for (const uint64_t word : leaf.blocks->data)
    data_blocks_ -= static_cast<uint64_t>(std::popcount(word));
  leaf.all_syncing = any(leaf.blocks->syncing);
  leaf.all_dirty = true;
  leaf.blocks.reset();
  dirty_leaves_.insert(number);
}

// Gives a leaf that is zero as a whole its bits.
void BlockMap::spell_out(Leaf& leaf) {
  if (leaf.blocks) return;
  leaf.blocks = std::make_unique<Blocks>();
  leaf.blocks->zero.fill(kAll);
  if (leaf.all_dirty) leaf.blocks->dirty.fill(kAll);
  if (leaf.all_syncing) leaf.blocks->syncing.fill(kAll);
  leaf.all_dirty = leaf.all_syncing = false;
}

uint64_t BlockMap::end() const {
  return leaves_.empty() ? 0 : (leaves_.rbegin()->first + 1) * kLeafBlocks;
}

void BlockMap::begin_sync() {
  assert(syncing_leaves_.empty());
  for (const uint64_t number : dirty_leaves_) {
    Leaf& leaf = leaves_.at(number);
    if (leaf.blocks) {
      leaf.blocks->syncing = leaf.blocks->dirty;
      leaf.blocks->dirty.fill(0);
    } else {
      leaf.all_syncing = leaf.all_dirty;
      leaf.all_dirty = false;
    }
  }
  syncing_leaves_.swap(dirty_leaves_);
}

void BlockMap::collect(uint64_t number, std::vector<BlockRun>& runs) const {
  const Leaf& leaf = leaves_.at(number);
  const uint64_t begins = number * kLeafBlocks;
  if (!leaf.blocks) {
    append(runs, begins, kLeafBlocks, BlockState::kZero);
    return;
  }
  const Blocks& blocks = *leaf.blocks;
  for (uint64_t word = 0; word < kWords; ++word) {
    for (uint64_t left = blocks.syncing[word]; left != 0; left &= left - 1) {
      const uint64_t bit = left & -left;
      const bool is_data = (blocks.data[word] & ~blocks.dirty[word] & bit) != 0;
      append(runs,
             begins + word * 64 + static_cast<uint64_t>(std::countr_zero(left)),
             1, is_data ? BlockState::kData : BlockState::kZero);
    }
  }
}

void BlockMap::end_sync(bool is_durable) {
  for (const uint64_t number : syncing_leaves_) {
    Leaf& leaf = leaves_.at(number);
    if (!is_durable) {
      leaf.all_dirty |= leaf.all_syncing;
      if (leaf.blocks) {
        for (uint64_t word = 0; word < kWords; ++word)
          leaf.blocks->dirty[word] |= leaf.blocks->syncing[word];
      }
      dirty_leaves_.insert(number);
    }
    if (leaf.blocks) leaf.blocks->syncing.fill(0);
    leaf.all_syncing = false;
  }
  syncing_leaves_.clear();
}

}  // namespace backstitch::format
