#include "format/chain/fit_chunk.h"

#include <gtest/gtest.h>

#include "format/base/error.h"
#include "tests/support/content.h"

namespace backstitch::format {
namespace {

using test::random_bytes;
using test::text_bytes;

// A ref of `content` coded by `compression`, `longer` bytes longer than that.
Ref ref_of(const Bytes& content, Compression compression, uint32_t longer) {
  ChunkEncoder encoder(compression);
  const auto result = encoder.encode(content);
  Ref ref;
  ref.kind = RefKind::kChunk;
  ref.codec = result.codec;
  ref.length = static_cast<uint32_t>(result.bytes.size()) + longer;
  ref.hash = hash_of(content);
  return ref;
}

void expect_fits(const Ref& ref, const Bytes& content, Compression first) {
  const auto fitted = fit_chunk(ref, content, first);
  ASSERT_TRUE(fitted.has_value()) << ref.length;
  EXPECT_EQ(fitted->size(), ref.length);
  EXPECT_NO_THROW(check_stored(ref, *fitted));
  Bytes decoded(kChunkBytes);
  decode_chunk(ref.codec, *fitted, decoded);
  EXPECT_EQ(decoded, content);
}

TEST(FitChunk, SameCompressionGivesTheSameBytes) {
  const Bytes content = text_bytes(1);
  for (const int level : {-5, -1, 1, 3, 19}) {
    const Compression compression{true, level};
    const Ref ref = ref_of(content, compression, 0);
    const auto fitted = fit_chunk(ref, content, compression);
    ASSERT_TRUE(fitted.has_value());
    ChunkEncoder encoder(compression);
    const auto coded = encoder.encode(content).bytes;
    EXPECT_EQ(*fitted, Bytes(coded.begin(), coded.end()));
  }
}

TEST(FitChunk, FillsEveryGreaterLength) {
  const Bytes content = text_bytes(2);
  for (uint32_t longer = 1; longer < 40; ++longer)
    expect_fits(ref_of(content, {}, longer), content, {});
  Ref longest = ref_of(content, {}, 0);
  for (const uint32_t length : {65533U, 65534U, 65535U}) {
    longest.length = length;
    expect_fits(longest, content, {});
  }
}

TEST(FitChunk, FillsFramesOfOneRepeatedByte) {
  const Bytes content(kChunkBytes, std::byte{7});
  for (uint32_t longer = 0; longer < 12; ++longer)
    expect_fits(ref_of(content, {}, longer), content, {});
}

TEST(FitChunk, HigherLevelsReachShorterLengths) {
  const Bytes content = text_bytes(3);
  const Ref ref = ref_of(content, {true, 19}, 0);
  EXPECT_LT(ref.length, ref_of(content, {true, -5}, 0).length);
  expect_fits(ref, content, {true, -5});
}

TEST(FitChunk, RefusesWhatCannotBe) {
  const Bytes content = text_bytes(4);
  Ref ref = ref_of(content, {true, 22}, 0);
  EXPECT_FALSE(fit_chunk(ref, text_bytes(5), {}).has_value());
  ref.length /= 4;
  EXPECT_FALSE(fit_chunk(ref, content, {}).has_value());
  ref.length = 9;
  EXPECT_FALSE(fit_chunk(ref, content, {}).has_value());
}

TEST(FitChunk, StoredChunksAreTheContent) {
  const Bytes content = random_bytes(6);
  const Ref ref = ref_of(content, {}, 0);
  ASSERT_EQ(ref.codec, Codec::kStored);
  EXPECT_EQ(fit_chunk(ref, content, {}), content);
}

}  // namespace
}  // namespace backstitch::format
