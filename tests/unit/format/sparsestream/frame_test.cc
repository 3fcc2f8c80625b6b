#include "format/sparsestream/frame.h"

#include <gtest/gtest.h>

#include "format/sparsestream/archive.h"
#include "tests/support/expect_error.h"

namespace backstitch::format {
namespace {

using test::expect_error;

constexpr const char* kData = "data 0000000000100000 000000000000abcd\r\n";

TEST(Frame, Header) {
  const Frame frame = parse_frame(kData);
  EXPECT_EQ(frame.kind, FrameKind::kData);
  EXPECT_EQ(frame.start, 0x100000U);
  EXPECT_EQ(frame.length, 0xabcdU);
}

TEST(Frame, WhatIsNoHeader) {
  for (const std::string& text :
       {std::string(), std::string(kData).substr(0, 39),
        std::string(kData) + " ", "datA" + std::string(kData).substr(4),
        std::string(kData).replace(38, 2, "\n\n"),
        std::string(kData).replace(4, 1, "_"),
        std::string(kData).replace(7, 1, "g"),
        std::string(kData).replace(7, 1, "-"),
        std::string(kData).replace(7, 1, " ")}) {
    expect_error(ErrorKind::kDamaged, "frame", [&] { parse_frame(text); });
  }
}

TEST(Frame, TellsADamagedStreamFromARawImage) {
  std::string beginning = "meta 0000000000000000 0000000000000155\r\n{";
  EXPECT_TRUE(resembles_stream(beginning));
  for (char& c : beginning) {
    const char before = c;
    c = '\xff';
    EXPECT_TRUE(resembles_stream(beginning));
    c = before;
  }
  EXPECT_FALSE(resembles_stream(std::string(512, '\0')));
  EXPECT_FALSE(resembles_stream(std::string(512, '0')));
  EXPECT_FALSE(resembles_stream(""));
}

TEST(Meta, BothSpellings) {
  const StreamMeta now = parse_meta(
      R"({"virtualSize": 100, "dataSize": 50, "streamVersion": 2,
          "compressed": 2, "compressionMethod": "lz4", "incremental": true,
          "checkpointName": "virtnbdbackup.1",
          "parentCheckpoint": "virtnbdbackup.0", "diskName": "vda"})");
  EXPECT_EQ(now.virtual_size, 100U);
  EXPECT_EQ(now.data_size, 50U);
  EXPECT_TRUE(now.compressed && now.incremental && !now.old_keys);
  EXPECT_EQ(now.checkpoint, "virtnbdbackup.1");
  EXPECT_EQ(now.parent, "virtnbdbackup.0");
  const StreamMeta old = parse_meta(
      R"({"virtual-size": 100, "data-size": 50, "stream-version": 1})");
  EXPECT_EQ(old.virtual_size, 100U);
  EXPECT_TRUE(old.old_keys && !old.compressed && !old.incremental);
}

TEST(Meta, WhatCompressedMeans) {
  const auto compressed = [](const std::string& version,
                             const std::string& value) {
    return parse_meta(R"({"virtualSize": 1, "dataSize": 1, "streamVersion": )" +
                      version + R"(, "compressed": )" + value + "}")
        .compressed;
  };
  EXPECT_TRUE(compressed("2", "true"));
  EXPECT_TRUE(compressed("2", "1"));
  EXPECT_FALSE(compressed("2", "false"));
  EXPECT_FALSE(compressed("2", "0"));
  EXPECT_FALSE(compressed("1", "true"));
}

TEST(Meta, WhatCannotBeUsed) {
  for (const char* text : {"", "[]", "{", R"({"virtualSize": 1})",
                           R"({"virtualSize": -1, "dataSize": 0})",
                           R"({"virtualSize": "1", "dataSize": 0})"}) {
    expect_error(ErrorKind::kDamaged, "metadata", [&] { parse_meta(text); });
  }
  expect_error(ErrorKind::kUnsupported, "version 3", [] {
    parse_meta(R"({"virtualSize": 1, "dataSize": 1, "streamVersion": 3})");
  });
  expect_error(ErrorKind::kUnsupported, "zstd", [] {
    parse_meta(
        R"({"virtualSize": 1, "dataSize": 1, "streamVersion": 2,
            "compressed": 1, "compressionMethod": "zstd"})");
  });
}

TEST(DomainXml, ElementText) {
  const std::string xml =
      "<domain><namely>no</namely><name />\n<name\n a='b'>x &lt;&amp;lt;</name>"
      "<os><nvram template='/t'>/v</nvram></os></domain>";
  EXPECT_EQ(element_text(xml, "name"), "x <&lt;");
  EXPECT_EQ(element_text(xml, "nvram"), "/v");
  EXPECT_EQ(element_text(xml, "loader"), "");
  EXPECT_EQ(element_text("<name", "name"), "");
  EXPECT_EQ(element_text("<name>", "name"), "");
}

}  // namespace
}  // namespace backstitch::format
