#include "format/chain/file_header.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/expect_error.h"

namespace backstitch::format {
namespace {

using test::expect_error;
using Block = std::array<std::byte, kHeaderBytes>;

FileHeader sample() {
  FileHeader header;
  header.kind = FileKind::kData;
  header.point = 0x01020304;
  for (size_t i = 0; i < header.point_id.size(); ++i)
    header.point_id[i] = static_cast<std::byte>(0xA0 + i);
  header.disk = "vda";
  return header;
}

// Writes the hash that a changed header would have.
Block rehashed(Block block) {
  const Hash128 hash = hash_of(ByteView(block).first(4080));
  store_le(&block[4080], hash.low);
  store_le(&block[4088], hash.high);
  return block;
}

std::string hex(const Block& block, size_t from, size_t size) {
  return to_hex(ByteView(block).subspan(from, size));
}

TEST(FileHeader, LiesAsSpecified) {
  const Block block = encode(sample());
  EXPECT_EQ(hex(block, 0, 16),
            "4253544954434800"
            "01000000"
            "00100000");
  EXPECT_EQ(hex(block, 16, 16), std::string(32, '0'));
  EXPECT_EQ(hex(block, 32, 8),
            "02000000"
            "04030201");
  EXPECT_EQ(hex(block, 40, 16), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  EXPECT_EQ(hex(block, 56, 4), "76646100");
  EXPECT_TRUE(all_zero(ByteView(block).subspan(60, 4020)));
  EXPECT_EQ(block, rehashed(block));
}

TEST(FileHeader, ThereAndBack) {
  FileHeader header = sample();
  EXPECT_EQ(decode_header(encode(header)), header);
  header.kind = FileKind::kMap;
  header.disk = std::string(63, 'x');
  EXPECT_EQ(decode_header(encode(header)), header);
}

TEST(FileHeader, EveryChangedByteIsDamage) {
  Block block = encode(sample());
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] ^= std::byte{0x11};
    try {
      decode_header(block);
      ADD_FAILURE() << "byte " << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDamaged) << i << error.what();
    }
    block[i] ^= std::byte{0x11};
  }
}

TEST(FileHeader, NewerVersionsAndUnknownFlagsAreRefused) {
  Block block = encode(sample());
  block[8] = std::byte{2};
  expect_error(ErrorKind::kUnsupported, "",
               [&] { decode_header(rehashed(block)); });
  block = encode(sample());
  block[23] = std::byte{0x80};
  expect_error(ErrorKind::kUnsupported, "",
               [&] { decode_header(rehashed(block)); });
}

TEST(FileHeader, CompatibleFlagsAndReservedBytesAreIgnored) {
  Block block = encode(sample());
  block[4079] = std::byte{1};
  block[24] = std::byte{0xFF};
  EXPECT_EQ(decode_header(rehashed(block)), sample());
}

TEST(FileHeader, NonsenseWithTheRightHashIsDamage) {
  struct Change {
    size_t offset;
    int value;
  };
  for (const Change change : {Change{32, 0}, Change{32, 3}, Change{12, 1}}) {
    Block block = encode(sample());
    block[change.offset] = static_cast<std::byte>(change.value);
    SCOPED_TRACE(change.offset);
    expect_error(ErrorKind::kDamaged, "",
                 [&] { decode_header(rehashed(block)); });
  }
}

TEST(FileHeader, DiskNameEndsInAZero) {
  Block block = encode(sample());
  std::fill_n(block.begin() + 56, 64, std::byte{'x'});
  EXPECT_ANY_THROW(decode_header(rehashed(block)));
}

}  // namespace
}  // namespace backstitch::format
