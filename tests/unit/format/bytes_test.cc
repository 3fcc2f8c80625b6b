#include "format/base/bytes.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace backstitch {
namespace {

using test::expect_error;

TEST(Bytes, LittleEndianFields) {
  Bytes bytes(8);
  store_le<uint64_t>(bytes.data(), 0x0102030405060708);
  EXPECT_EQ(to_hex(ByteView(bytes)), "0807060504030201");
  EXPECT_EQ(load_le<uint32_t>(bytes.data() + 4), 0x01020304U);
}

// The values that `printf '' | xxhsum -H2` and `printf abc | xxhsum -H2` print.
TEST(Bytes, HashIsXxh3OfSeedZero) {
  EXPECT_EQ(to_hex(hash_of("")), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(to_hex(hash_of("abc")), "06b05ab6733a618578af5f94892f3950");
}

TEST(Bytes, AllZero) {
  EXPECT_TRUE(all_zero({}));
  Bytes bytes(70000);
  EXPECT_TRUE(all_zero(bytes));
  for (const size_t at : {size_t{0}, size_t{1}, size_t{40001}, size_t{69999}}) {
    bytes[at] = std::byte{1};
    EXPECT_FALSE(all_zero(bytes)) << at;
    bytes[at] = std::byte{0};
  }
  Bytes same(16, std::byte{7});
  EXPECT_FALSE(all_zero(same));
}

TEST(Bytes, HexThereAndBack) {
  const Bytes bytes = bytes_from_hex("00ff10ab");
  EXPECT_EQ(bytes.size(), 4U);
  EXPECT_EQ(to_hex(ByteView(bytes)), "00ff10ab");
  EXPECT_TRUE(bytes_from_hex("").empty());
}

TEST(Bytes, HexTakesLowerCasePairsOnly) {
  for (const char* text : {"0", "0g", "AB", "0x", " 0", "-1"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::kDamaged, "hexadecimal",
                 [&] { bytes_from_hex(text); });
  }
}

}  // namespace
}  // namespace backstitch
