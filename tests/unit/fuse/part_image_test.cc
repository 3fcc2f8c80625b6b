#include "fuse/image/part_image.h"

#include <gtest/gtest.h>

#include "fuse/image/shortcuts.h"
#include "tests/unit/fuse/table_builder.h"

namespace backstitch::mount {
namespace {

constexpr uint64_t kChunk = 65536;

std::shared_ptr<BytesImage> disk_with_data_at(
    std::initializer_list<uint64_t> chunks) {
  auto disk = std::make_shared<BytesImage>(16 * kChunk + 100);
  for (const uint64_t chunk : chunks)
    disk->bytes[chunk * kChunk + 7] = std::byte{1};
  return disk;
}

TEST(PartImage, ReadsItsRangeAndNoMore) {
  auto disk = disk_with_data_at({});
  for (size_t i = 0; i < disk->bytes.size(); ++i)
    disk->bytes[i] = static_cast<std::byte>(i % 251);
  const PartImage part(disk, 1000, 5000);
  EXPECT_EQ(part.size(), 5000U);
  Bytes got(100);
  part.read_at(4900, got);
  EXPECT_EQ(got[0], static_cast<std::byte>(5900 % 251));
  EXPECT_THROW(part.read_at(4901, got), Error);
  EXPECT_THROW(part.read_at(UINT64_MAX, got), Error);
}

TEST(PartImage, SeeksInItsOwnOffsets) {
  const PartImage part(disk_with_data_at({1, 2, 9}), kChunk + 512, 6 * kChunk);
  EXPECT_EQ(part.next_data(0), 0U);
  EXPECT_EQ(part.next_hole(0), 2 * kChunk - 512);
  EXPECT_EQ(part.next_data(2 * kChunk), part.size());
  EXPECT_EQ(part.next_hole(part.size()), part.size());
}

TEST(PartImage, CountsTheDataOfItsRangeFromEitherSide) {
  const auto disk = disk_with_data_at({0, 1, 2, 9, 15});
  // Small: counted itself. Large: what lies around it is taken off.
  EXPECT_EQ(PartImage(disk, kChunk, 2 * kChunk).data_bytes(), 2 * kChunk);
  EXPECT_EQ(PartImage(disk, kChunk, 14 * kChunk).data_bytes(), 3 * kChunk);
  EXPECT_EQ(PartImage(disk, kChunk + 512, kChunk).data_bytes(), kChunk);
  EXPECT_EQ(PartImage(disk, 3 * kChunk, kChunk).data_bytes(), 0U);
}

TEST(Shortcuts, CountsPartsOfDataAtTheEnds) {
  const auto disk = disk_with_data_at({1, 2});
  EXPECT_EQ(count_data(*disk, 0, disk->size()), 2 * kChunk);
  EXPECT_EQ(count_data(*disk, kChunk + 100, 2 * kChunk + 50), kChunk - 50);
  EXPECT_EQ(count_data(*disk, 5, 5), 0U);
  EXPECT_FALSE(can_prefetch(*disk));
  prefetch(*disk, 0, kChunk);
  EXPECT_EQ(disk->reads, 0);
}

}  // namespace
}  // namespace backstitch::mount
