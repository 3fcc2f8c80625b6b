#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/fuse/table_builder.h"

namespace backstitch::mount {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kSectors = 1000;

Partition part(unsigned number, uint64_t first, uint64_t sectors) {
  return {number, first * 512, sectors * 512};
}

TEST(Mbr, PrimaryPartitionsKeepTheirNumbers) {
  BytesImage disk(kSectors * 512);
  put_mbr_entry(disk, 0, 0, 0x83, 10, 20);
  put_mbr_entry(disk, 0, 3, 0x07, 40, 50);
  EXPECT_THAT(parse_partitions(disk),
              ElementsAre(part(1, 10, 20), part(4, 40, 50)));
}

TEST(Mbr, LogicalPartitionsAreCountedFromFive) {
  BytesImage disk(kSectors * 512);
  put_mbr_entry(disk, 0, 0, 0x83, 10, 20);
  put_mbr_entry(disk, 0, 1, 0x05, 100, 800);
  put_mbr_entry(disk, 100, 0, 0x83, 2, 30);
  put_mbr_entry(disk, 100, 1, 0x05, 200, 100);  // relative to the first
  put_mbr_entry(disk, 300, 0, 0x83, 4, 50);     // relative to its own
  EXPECT_THAT(parse_partitions(disk),
              ElementsAre(part(1, 10, 20), part(5, 102, 30), part(6, 304, 50)));
}

TEST(Mbr, AChainThatIsACircleEnds) {
  BytesImage disk(kSectors * 512);
  put_mbr_entry(disk, 0, 0, 0x0F, 100, 800);
  put_mbr_entry(disk, 100, 0, 0x83, 2, 30);
  put_mbr_entry(disk, 100, 1, 0x05, 200, 100);
  put_mbr_entry(disk, 300, 0, 0x83, 4, 50);
  put_mbr_entry(disk, 300, 1, 0x05, 0, 100);
  // An offset of 0 points back at the first record.
  EXPECT_THAT(parse_partitions(disk),
              ElementsAre(part(5, 102, 30), part(6, 304, 50)));
  EXPECT_LT(disk.reads, 10);
}

TEST(Mbr, ALongChainIsBounded) {
  BytesImage disk(kSectors * 512);
  put_mbr_entry(disk, 0, 0, 0x85, 1, 999);
  for (uint32_t sector = 1; sector < 900; ++sector) {
    put_mbr_entry(disk, sector, 0, 0x83, 1, 1);
    put_mbr_entry(disk, sector, 1, 0x05, sector, 1);
  }
  EXPECT_EQ(parse_partitions(disk).size(), kMaxPartitions);
  EXPECT_LT(disk.reads, 600);
}

TEST(Mbr, AChainThatLeavesTheDiskEnds) {
  BytesImage disk(kSectors * 512);
  put_mbr_entry(disk, 0, 0, 0x05, 100, 800);
  put_mbr_entry(disk, 100, 0, 0x83, 2, 30);
  put_mbr_entry(disk, 100, 1, 0x05, 0xFFFFFFFF, 100);
  EXPECT_THAT(parse_partitions(disk), ElementsAre(part(5, 102, 30)));
}

TEST(Mbr, ABootSectorOfAFileSystemIsNoTable) {
  BytesImage disk(kSectors * 512);
  put_mbr_entry(disk, 0, 0, 0x83, 10, 20);
  disk.bytes[446 + 16] = std::byte{0x6E};  // text where a status would be
  EXPECT_THAT(parse_partitions(disk), IsEmpty());
}

TEST(Mbr, PartitionsAreCutAtTheEndAndDroppedBeyondIt) {
  BytesImage disk(kSectors * 512 + 100);
  put_mbr_entry(disk, 0, 0, 0x83, 900, 200);
  put_mbr_entry(disk, 0, 1, 0x83, 1000, 200);
  put_mbr_entry(disk, 0, 2, 0x83, 0, 200);
  EXPECT_THAT(parse_partitions(disk), ElementsAre(part(1, 900, 100)));
}

}  // namespace
}  // namespace backstitch::mount
