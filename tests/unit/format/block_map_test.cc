#include "format/overlay/block_map.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/seed.h"

namespace backstitch::format {
namespace {

using enum BlockState;
constexpr uint64_t kLeaf = BlockMap::kLeafBlocks;

// What a sync would record, applied to what was recorded before.
void record(const BlockMap& map, std::vector<BlockState>& recorded) {
  std::vector<BlockRun> runs;
  for (const uint64_t leaf : map.syncing_leaves()) map.collect(leaf, runs);
  for (const BlockRun& run : runs)
    for (uint64_t block = run.first; block < run.end(); ++block)
      if (block < recorded.size()) recorded[block] = run.state;
}

TEST(BlockMap, NothingIsWrittenAtFirst) {
  const BlockMap map;
  EXPECT_EQ(map.run_at(7, 100), (BlockRun{7, 93, kBase}));
  EXPECT_EQ(map.end(), 0U);
  EXPECT_FALSE(map.has_changes());
}

TEST(BlockMap, RunsEndWhereTheStateChanges) {
  BlockMap map;
  map.set(10, 5, kData);
  map.set(15, 2, kZero);
  EXPECT_EQ(map.run_at(0, 100), (BlockRun{0, 10, kBase}));
  EXPECT_EQ(map.run_at(11, 100), (BlockRun{11, 4, kData}));
  EXPECT_EQ(map.run_at(15, 100), (BlockRun{15, 2, kZero}));
  EXPECT_EQ(map.run_at(15, 16), (BlockRun{15, 1, kZero}));
  EXPECT_EQ(map.data_blocks(), 5U);
}

TEST(BlockMap, AHugeDiskThatIsZeroedTakesNoBits) {
  BlockMap map;
  const uint64_t blocks = (uint64_t{16} << 40) / kBlockBytes;
  map.set(0, blocks, kZero);
  EXPECT_EQ(map.run_at(blocks / 2, blocks).state, kZero);
  map.begin_sync();
  std::vector<BlockRun> runs;
  for (const uint64_t leaf : map.syncing_leaves()) map.collect(leaf, runs);
  ASSERT_FALSE(runs.empty());
  for (const BlockRun& run : runs) EXPECT_LT(run.count, uint64_t{1} << 32);
  map.end_sync(true);
}

TEST(BlockMap, OnlyChangesOfStateAreRecorded) {
  BlockMap map;
  map.set(3, 4, kData);
  map.begin_sync();
  map.end_sync(true);
  map.set(3, 4, kData);
  EXPECT_FALSE(map.has_changes());
  EXPECT_EQ(map.set(4, 1, kZero), 1U);
  EXPECT_TRUE(map.has_changes());
}

TEST(BlockMap, WhatFailedToSyncIsSyncedAgain) {
  BlockMap map;
  std::vector<BlockState> recorded(2 * kLeaf, kBase);
  map.set(0, kLeaf, kZero);
  map.set(kLeaf + 1, 3, kData);
  map.begin_sync();
  map.end_sync(false);
  map.begin_sync();
  record(map, recorded);
  map.end_sync(true);
  EXPECT_EQ(recorded[5], kZero);
  EXPECT_EQ(recorded[kLeaf + 1], kData);
  EXPECT_FALSE(map.has_changes());
}

TEST(BlockMap, DataThatCameDuringASyncIsNotRecordedAsData) {
  BlockMap map;
  std::vector<BlockState> recorded(64, kBase);
  map.set(0, 4, kZero);
  map.set(8, 4, kData);
  map.begin_sync();
  map.set(1, 1, kData);   // its bytes need not be durable
  map.set(9, 1, kZero);   // zero is what it is
  map.set(20, 1, kData);  // began after the sync
  record(map, recorded);
  map.end_sync(true);
  EXPECT_EQ(recorded[1], kZero);
  EXPECT_EQ(recorded[9], kZero);
  EXPECT_EQ(recorded[10], kData);
  EXPECT_EQ(recorded[20], kBase);
  EXPECT_TRUE(map.has_changes());
}

// Against a flat array, with syncs that fail and changes in the middle of them.
TEST(BlockMap, EqualsAFlatArray) {
  test::Random random(1);
  const uint64_t blocks = 4 * kLeaf - 100;
  BlockMap map;
  std::vector<BlockState> model(blocks, kBase);
  std::vector<BlockState> recorded(blocks, kBase);
  std::vector<std::set<BlockState>> since(blocks, {kBase});
  const auto change = [&] {
    const uint64_t first = random.below(blocks);
    const uint64_t most = random.chance(4) ? blocks - first : 200;
    const uint64_t count = std::min(blocks - first, 1 + random.below(most));
    const BlockState state = random.chance(2) ? kData : kZero;
    map.set(first, count, state);
    for (uint64_t block = first; block < first + count; ++block) {
      model[block] = state;
      since[block].insert(state);
    }
  };
  for (int round = 0; round < 300; ++round) {
    change();
    if (random.chance(3)) {
      const std::vector<BlockState> begun = model;
      for (uint64_t block = 0; block < blocks; ++block)
        since[block] = {model[block]};
      map.begin_sync();
      change();
      const bool is_durable = !random.chance(3);
      if (is_durable) record(map, recorded);
      map.end_sync(is_durable);
      for (uint64_t block = 0; is_durable && block < blocks; ++block)
        ASSERT_TRUE(since[block].contains(recorded[block])) << block;
    }
    uint64_t data = 0;
    for (uint64_t block = 0; block < blocks;) {
      const BlockRun run = map.run_at(block, blocks);
      ASSERT_GT(run.count, 0U);
      for (uint64_t i = run.first; i < run.end(); ++i)
        ASSERT_EQ(model[i], run.state) << i;
      if (run.state == kData) data += run.count;
      block = run.end();
    }
    ASSERT_EQ(map.data_blocks(), data);
  }
}

}  // namespace
}  // namespace backstitch::format
