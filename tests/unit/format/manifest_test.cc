#include "format/repository/manifest.h"

#include <gtest/gtest.h>

#include <regex>

#include "tests/support/expect_error.h"
#include "tests/support/rehash.h"
#include "tests/support/sample_manifest.h"

namespace backstitch::format {
namespace {

using test::expect_error;
using test::rehashed;
using test::sample_manifest;

void expect_same_change(const DiskManifest& got, const DiskManifest& want) {
  EXPECT_EQ(got.read, want.read);
  EXPECT_EQ(got.reason, want.reason);
  EXPECT_EQ(got.read_bytes, want.read_bytes);
  EXPECT_EQ(got.changed_chunks, want.changed_chunks);
  EXPECT_EQ(got.zeroed_chunks, want.zeroed_chunks);
  EXPECT_EQ(got.source, want.source);
}

void expect_same_disk(const DiskManifest& got, const DiskManifest& want) {
  EXPECT_EQ(got.name, want.name);
  EXPECT_EQ(got.size_bytes, want.size_bytes);
  EXPECT_EQ(got.root, want.root);
  EXPECT_EQ(got.data_chunks, want.data_chunks);
  EXPECT_EQ(got.map_length, want.map_length);
  EXPECT_EQ(got.data_length, want.data_length);
  expect_same_change(got, want);
}

std::string replaced(std::string text, const std::string& from,
                     const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return rehashed(text);
}

// The manifest with the value of a member, as its JSON text, exchanged.
std::string with_member(const std::string& name, const std::string& value) {
  const std::regex member("\"" + name +
                          "\": ?(\"([^\"\\\\]|\\\\.)*\"|[0-9]+|\\[\\])");
  const std::string text = serialize(sample_manifest());
  EXPECT_TRUE(std::regex_search(text, member)) << name;
  return rehashed(std::regex_replace(text, member, "\"" + name + "\":" + value,
                                     std::regex_constants::format_first_only));
}

TEST(Manifest, ThereAndBack) {
  const Manifest want = sample_manifest();
  const Manifest got = parse_manifest(serialize(want));
  EXPECT_EQ(got.repository, want.repository);
  EXPECT_EQ(got.domain, want.domain);
  EXPECT_EQ(got.point, want.point);
  EXPECT_EQ(got.id, want.id);
  EXPECT_EQ(got.level, want.level);
  EXPECT_EQ(got.parent, want.parent);
  EXPECT_EQ(got.chain, want.chain);
  EXPECT_EQ(got.time, want.time);
  EXPECT_EQ(got.duration_ms, want.duration_ms);
  EXPECT_EQ(got.consistency, want.consistency);
  EXPECT_EQ(got.checkpoint, want.checkpoint);
  EXPECT_EQ(got.checkpoint_xml, want.checkpoint_xml);
  EXPECT_EQ(got.compression, want.compression);
  EXPECT_EQ(got.tools, want.tools);
  ASSERT_EQ(got.disks.size(), 1U);
  expect_same_disk(got.disks[0], want.disks[0]);
  ASSERT_EQ(got.files.size(), 1U);
  EXPECT_EQ(got.files[0].name, "domain.xml");
  EXPECT_EQ(got.files[0].size_bytes, 812U);
  EXPECT_EQ(got.files[0].hash, want.files[0].hash);
}

TEST(Manifest, BeginsWithItsHashAndEndsWithANewline) {
  const std::string text = serialize(sample_manifest());
  EXPECT_EQ(text.substr(0, 9), "{\"hash\":\"");
  EXPECT_EQ(text.substr(9, 32),
            to_hex(hash_of(std::string_view(text).substr(41))));
  EXPECT_EQ(text[41], '"');
  EXPECT_EQ(text.substr(text.size() - 2), "}\n");
  EXPECT_EQ(text, rehashed(text));
}

TEST(Manifest, EveryChangedByteIsDamage) {
  std::string text = serialize(sample_manifest());
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int bit : {0x01, 0x20, 0x80}) {
      const char old = text[i];
      text[i] = static_cast<char>(text[i] ^ bit);
      SCOPED_TRACE(i);
      expect_error(ErrorKind::kDamaged, "", [&] { parse_manifest(text); });
      text[i] = old;
    }
  }
}

TEST(Manifest, EveryTruncationIsDamage) {
  const std::string text = serialize(sample_manifest());
  for (size_t size = 0; size < text.size(); ++size) {
    SCOPED_TRACE(size);
    expect_error(ErrorKind::kDamaged, "",
                 [&] { parse_manifest(text.substr(0, size)); });
  }
  expect_error(ErrorKind::kDamaged, "", [&] { parse_manifest(text + "\n"); });
}

TEST(Manifest, NewerVersionsAndUnknownFlagsAreRefused) {
  expect_error(ErrorKind::kUnsupported, "",
               [] { parse_manifest(with_member("format", "2")); });
  expect_error(ErrorKind::kUnsupported, "encrypted", [] {
    parse_manifest(with_member("incompatible", "[\"encrypted\"]"));
  });
}

TEST(Manifest, UnknownMembersAreIgnored) {
  const std::string text = serialize(sample_manifest());
  const Manifest got =
      parse_manifest(replaced(text, "\",", "\",\"from_the_future\":[1,2],"));
  EXPECT_EQ(got.point, 7U);
}

// Right hash, wrong content: what a program with a bug might write.
TEST(Manifest, NonsenseWithTheRightHashIsDamage) {
  struct Row {
    const char* member;
    const char* value;
  };
  for (const Row row : {Row{"repository", "7"},
                        Row{"point", "0"},
                        Row{"point", "4294967296"},
                        Row{"point", "\"7\""},
                        Row{"point", "7.5"},
                        Row{"point", "-1"},
                        Row{"id", "\"00\""},
                        Row{"level", "\"sometimes\""},
                        Row{"parent", "7"},
                        Row{"parent", "8"},
                        Row{"chain", "0"},
                        Row{"chain", "8"},
                        Row{"time", "\"yesterday\""},
                        Row{"time", "\"2026-13-01T00:00:00.000Z\""},
                        Row{"duration_ms", "\"long\""},
                        Row{"root", "\"00\""},
                        Row{"size", "-1"},
                        Row{"size", "18446744073709551616"},
                        Row{"map_length", "4095"},
                        Row{"data_length", "0"},
                        Row{"data_chunks", "17"}}) {
    SCOPED_TRACE(std::string(row.member) + ": " + row.value);
    expect_error(ErrorKind::kDamaged, "",
                 [&] { parse_manifest(with_member(row.member, row.value)); });
  }
}

TEST(Manifest, NotJsonIsDamage) {
  for (const char* text : {"", "{", "{}", "null", "[]\n", "{\"hash\":1}\n"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::kDamaged, "", [&] { parse_manifest(text); });
  }
}

TEST(Manifest, ARootOfAnotherLevelIsDamage) {
  Manifest manifest = sample_manifest();
  manifest.disks[0].root.kind = RefKind::kChunk;
  manifest.disks[0].root.length = kChunkBytes;
  expect_error(ErrorKind::kDamaged, "",
               [&] { parse_manifest(serialize(manifest)); });
  manifest = sample_manifest();
  manifest.disks[0].root.point = 8;
  expect_error(ErrorKind::kDamaged, "",
               [&] { parse_manifest(serialize(manifest)); });
}

TEST(Manifest, NamesInItAreCheckedAndUnique) {
  Manifest manifest = sample_manifest();
  manifest.disks.push_back(manifest.disks[0]);
  expect_error(ErrorKind::kDamaged, "",
               [&] { parse_manifest(serialize(manifest)); });
  manifest = sample_manifest();
  manifest.files[0].name = "../../etc/passwd";
  expect_error(ErrorKind::kDamaged, "",
               [&] { parse_manifest(serialize(manifest)); });
  for (const char* name : {"", "..", "../x", "a/b", "x.y"}) {
    manifest = sample_manifest();
    manifest.disks[0].name = name;
    expect_error(ErrorKind::kDamaged, "",
                 [&] { parse_manifest(serialize(manifest)); });
  }
}

TEST(Manifest, FindsDisksAndAddsUp) {
  const Manifest manifest = sample_manifest();
  ASSERT_NE(manifest.disk("vda"), nullptr);
  EXPECT_EQ(manifest.disk("vdb"), nullptr);
  EXPECT_EQ(manifest.disk("vda")->map().chunks, 16U);
  EXPECT_GE(manifest.stored_bytes(), 8192U + 150000U);
}

TEST(Time, ThereAndBack) {
  for (const char* text :
       {"2026-11-23T01:02:03.456Z", "1970-01-01T00:00:00.000Z",
        "2024-02-29T23:59:59.999Z"})
    EXPECT_EQ(format_time(parse_time(text)), text);
}

TEST(Time, NothingElseIsOne) {
  for (const char* text :
       {"", "2026", "2026-11-23", "2026-11-23T01:02:03Z",
        "2026-11-23T01:02:03.456", "2026-11-23 01:02:03.456Z",
        "2026-02-30T01:02:03.456Z", "2026-11-23T24:00:00.000Z",
        "2026-11-23T01:60:00.000Z", "2026-11-23T01:02:03.456Zx",
        "+026-11-23T01:02:03.456Z", "2026-11-23T01:02:03.4567Z"}) {
    SCOPED_TRACE(text);
    EXPECT_THROW(parse_time(text), Error);
  }
}

}  // namespace
}  // namespace backstitch::format
