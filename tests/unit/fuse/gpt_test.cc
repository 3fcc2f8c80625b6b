#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/fuse/table_builder.h"

namespace backstitch::mount {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Gpt : public ::testing::TestWithParam<uint64_t> {
 protected:
  uint64_t sector() const { return GetParam(); }
  BytesImage disk() const {
    return gpt_disk(sector(), 400, {{40, 99}, {0, 0}, {100, 100}});
  }
  std::vector<Partition> expected() const {
    return {{1, 40 * sector(), 60 * sector()}, {3, 100 * sector(), sector()}};
  }
};

INSTANTIATE_TEST_SUITE_P(SectorBytes, Gpt, ::testing::Values(512, 4096));

TEST_P(Gpt, FirstHeader) { EXPECT_EQ(parse_partitions(disk()), expected()); }

TEST_P(Gpt, BackupWhenTheFirstHeaderIsDamaged) {
  BytesImage damaged = disk();
  damaged.bytes[sector() + 40] ^= std::byte{1};
  EXPECT_EQ(parse_partitions(damaged), expected());
}

TEST_P(Gpt, BackupWhenTheFirstEntriesAreDamaged) {
  BytesImage damaged = disk();
  damaged.bytes[2 * sector() + 33] ^= std::byte{1};
  EXPECT_EQ(parse_partitions(damaged), expected());
}

TEST_P(Gpt, BackupOfADiskThatGrew) {
  BytesImage grown = disk();
  grown.bytes.resize(grown.bytes.size() + 100 * sector());
  EXPECT_EQ(parse_partitions(grown), expected());
  // The backup is where the header says, though not at the end any more.
  grown.bytes[2 * sector() + 33] ^= std::byte{1};
  EXPECT_EQ(parse_partitions(grown), expected());
}

TEST_P(Gpt, NothingWhenBothAreDamaged) {
  BytesImage damaged = disk();
  damaged.bytes[sector() + 40] ^= std::byte{1};
  damaged.bytes[399 * sector() + 40] ^= std::byte{1};
  EXPECT_THAT(parse_partitions(damaged), IsEmpty());
}

TEST_P(Gpt, NothingWithoutTheProtectiveRecord) {
  BytesImage plain = disk();
  plain.bytes[510] = std::byte{0};
  EXPECT_THAT(parse_partitions(plain), IsEmpty());
}

TEST_P(Gpt, PartitionsAreCutAtTheEndAndDroppedBeyondIt) {
  const uint64_t most = UINT64_MAX;
  const BytesImage odd = gpt_disk(
      sector(), 400,
      {{300, 9999}, {400, 500}, {most, most}, {0, most}, {50, 40}, {60, most}});
  EXPECT_THAT(parse_partitions(odd),
              ElementsAre(Partition{1, 300 * sector(), 100 * sector()},
                          Partition{6, 60 * sector(), 340 * sector()}));
}

TEST_P(Gpt, EntriesThatLieOutsideAreRefused) {
  for (const uint32_t count : {0U, 1U << 20, 0xFFFFFFFFU}) {
    BytesImage odd = disk();
    for (const uint64_t at : {sector(), 399 * sector()}) {
      std::byte* header = odd.bytes.data() + at;
      store_le<uint32_t>(header + 80, count);
      store_le<uint32_t>(header + 16, 0);
      store_le<uint32_t>(header + 16, crc32(ByteView(header, 92)));
    }
    EXPECT_THAT(parse_partitions(odd), IsEmpty()) << count;
  }
}

TEST(Partitions, NoTable) {
  EXPECT_THAT(parse_partitions(BytesImage(0)), IsEmpty());
  EXPECT_THAT(parse_partitions(BytesImage(511)), IsEmpty());
  EXPECT_THAT(parse_partitions(BytesImage(1 << 20)), IsEmpty());
}

TEST(Partitions, TinyDiskWithAProtectiveRecord) {
  BytesImage disk(512);
  put_mbr_entry(disk, 0, 0, 0xEE, 1, 0xFFFFFFFF);
  EXPECT_THAT(parse_partitions(disk), IsEmpty());
}

TEST(Partitions, WhateverTheTableSaysTheResultLiesInside) {
  std::mt19937_64 random(20261123);  // NOLINT(cert-msc51-cpp)
  for (int round = 0; round < 3000; ++round) {
    BytesImage disk = gpt_disk(512, 200, {{40, 99}, {100, 120}});
    if (round % 2 == 0) put_mbr_entry(disk, 0, 0, 0x05, 1, 100);
    for (int flips = 0; flips < 4; ++flips) {
      const size_t at = random() % (round % 4 < 2 ? 512 : 40 * 512);
      disk.bytes[at] = static_cast<std::byte>(random());
    }
    disk.bytes[510] = std::byte{0x55};
    disk.bytes[511] = std::byte{0xAA};
    for (const Partition& part : parse_partitions(disk)) {
      ASSERT_GT(part.length, 0U);
      ASSERT_LT(part.offset, disk.size());
      ASSERT_LE(part.length, disk.size() - part.offset);
    }
    ASSERT_LT(disk.reads, 600);
  }
}

TEST(Crc32, CheckValue) {
  const std::string_view text = "123456789";
  EXPECT_EQ(crc32(std::as_bytes(std::span(text))), 0xCBF43926U);
}

}  // namespace
}  // namespace backstitch::mount
