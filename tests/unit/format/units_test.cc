#include "format/base/units.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace backstitch {
namespace {

using test::expect_error;

TEST(Units, FormatBytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(65536), "64.0 KiB");
  EXPECT_EQ(format_bytes(uint64_t{200} << 20), "200 MiB");
  EXPECT_EQ(format_bytes(uint64_t{3} << 39), "1.50 TiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(Units, FormatRangeInTheUnitOfItsEnd) {
  EXPECT_EQ(format_range(0, 512), "0-512 B");
  EXPECT_EQ(format_range(uint64_t{1} << 30, (uint64_t{1} << 30) + (8 << 20)),
            "1.00-1.01 GiB");
}

TEST(Units, ParseBytes) {
  EXPECT_EQ(parse_bytes("0", "size"), 0U);
  EXPECT_EQ(parse_bytes("1500", "size"), 1500U);
  EXPECT_EQ(parse_bytes("512B", "size"), 512U);
  EXPECT_EQ(parse_bytes("64K", "size"), 65536U);
  EXPECT_EQ(parse_bytes("64k", "size"), 65536U);
  EXPECT_EQ(parse_bytes("10MB", "size"), uint64_t{10} << 20);
  EXPECT_EQ(parse_bytes("1.5GiB", "size"), uint64_t{3} << 29);
  EXPECT_EQ(parse_bytes("2T", "size"), uint64_t{2} << 40);
}

TEST(Units, ParseBytesTakesNothingElse) {
  for (const char* text :
       {"", " ", "K", "-1", "1X", "1KK", "1 K", "1KiBs", "BB", "1BB", "1BiB",
        "nan", "inf", "9E", "1e300", "0x"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::kUsage, "--size",
                 [&] { parse_bytes(text, "--size"); });
  }
}

}  // namespace
}  // namespace backstitch
