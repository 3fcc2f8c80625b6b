#include "format/map/ref.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace backstitch::format {
namespace {

using test::expect_error;

Ref chunk_ref() {
  return {RefKind::kChunk, Codec::kZstd, 1000, 7, 5000, {1, 2}};
}
Ref stored_ref() {
  return {RefKind::kChunk, Codec::kStored, kChunkBytes, 7, 8192, {1, 2}};
}
Ref page_ref() {
  return {RefKind::kPage, Codec::kStored, kPageBytes, 7, 4096, {3, 4}};
}

void expect_bad(const Ref& ref, const std::string& why) {
  const RefBytes bytes = encode(ref);
  expect_error(ErrorKind::kDamaged, why, [&] { decode_ref(bytes); });
}

TEST(Ref, LiesAsSpecified) {
  const Ref ref{RefKind::kChunk,
                Codec::kZstd,
                0x1234,
                0x01020304,
                0x1112131415161718,
                {0x2122232425262728, 0x3132333435363738}};
  EXPECT_EQ(to_hex(encode(ref)),
            "1234120004030201181716151413121128272625242322213837363534333231");
}

TEST(Ref, ThereAndBack) {
  for (const Ref& ref : {Ref{}, chunk_ref(), stored_ref(), page_ref()})
    EXPECT_EQ(decode_ref(encode(ref)), ref);
}

TEST(Ref, ZeroIsAllZeroes) {
  EXPECT_TRUE(all_zero(encode(Ref{})));
  RefBytes bytes{};
  for (size_t i = 0; i < kRefBytes; ++i) {
    bytes[i] = std::byte{0x10};
    EXPECT_ANY_THROW(decode_ref(bytes)) << i;
    bytes[i] = std::byte{0};
  }
}

TEST(Ref, RefusesWhatNoWriterMakes) {
  Ref ref = chunk_ref();
  ref.kind = static_cast<RefKind>(3);
  expect_bad(ref, "unknown kind");
  ref = chunk_ref();
  ref.codec = static_cast<Codec>(2);
  expect_bad(ref, "unknown codec");
  ref = chunk_ref();
  ref.point = 0;
  expect_bad(ref, "no point");
  ref = page_ref();
  ref.codec = Codec::kZstd;
  expect_bad(ref, "coded page");
}

TEST(Ref, OffsetsBeginBehindTheHeaderAndAreBounded) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{4095}, uint64_t{1} << 62,
                                UINT64_MAX - 4095, UINT64_MAX}) {
    Ref ref = chunk_ref();
    ref.offset = offset;
    expect_bad(ref, "offset out of range");
  }
}

TEST(Ref, LengthsFitTheirKind) {
  for (const uint32_t length : {uint32_t{0}, uint32_t{65536}}) {
    Ref ref = chunk_ref();
    ref.length = length;
    expect_bad(ref, "length");
  }
  Ref ref = stored_ref();
  ref.length = kChunkBytes - 1;
  expect_bad(ref, "length");
  ref = page_ref();
  ref.length = kPageBytes + 1;
  expect_bad(ref, "length");
}

TEST(Ref, StoredBytesAreAligned) {
  Ref ref = stored_ref();
  ref.offset = 8193;
  expect_bad(ref, "not aligned");
  ref = page_ref();
  ref.offset = 5000;
  expect_bad(ref, "not aligned");
}

TEST(Page, ThereAndBack) {
  Page page{};
  page[0] = chunk_ref();
  page[127] = stored_ref();
  EXPECT_EQ(decode_page(encode(page), 1, 7), page);
}

TEST(Page, ChildrenMustFitTheirLevelAndAge) {
  Page page{};
  page[5] = chunk_ref();
  expect_error(ErrorKind::kDamaged, "wrong kind",
               [&] { decode_page(encode(page), 2, 7); });
  expect_error(ErrorKind::kDamaged, "later point",
               [&] { decode_page(encode(page), 1, 6); });
  page[5] = page_ref();
  EXPECT_EQ(decode_page(encode(page), 2, 8), page);
  expect_error(ErrorKind::kDamaged, "wrong kind",
               [&] { decode_page(encode(page), 1, 8); });
}

TEST(Geometry, Chunks) {
  EXPECT_EQ(chunk_count(0), 0U);
  EXPECT_EQ(chunk_count(1), 1U);
  EXPECT_EQ(chunk_count(65536), 1U);
  EXPECT_EQ(chunk_count(65537), 2U);
  EXPECT_EQ(chunk_count(UINT64_MAX), uint64_t{1} << 48);
}

TEST(Geometry, Heights) {
  EXPECT_EQ(height_for(0), 0);
  EXPECT_EQ(height_for(1), 0);
  EXPECT_EQ(height_for(2), 1);
  EXPECT_EQ(height_for(128), 1);
  EXPECT_EQ(height_for(129), 2);
  EXPECT_EQ(height_for(chunk_count(uint64_t{16} << 40)), 4);
  EXPECT_EQ(height_for(chunk_count((uint64_t{16} << 40) + 1)), 5);
  EXPECT_EQ(height_for(uint64_t{1} << 48), 7);
  EXPECT_EQ(height_for(UINT64_MAX >> 1), 9);
}

}  // namespace
}  // namespace backstitch::format
