#include "format/chain/codec.h"

#include <gtest/gtest.h>

#include "tests/support/content.h"
#include "tests/support/expect_error.h"

namespace backstitch::format {
namespace {

using test::expect_error;
using test::random_bytes;
using test::text_bytes;

Bytes copy(ByteView view) { return Bytes(view.begin(), view.end()); }

Bytes compressed(ByteView chunk) {
  ChunkEncoder encoder(Compression{});
  const auto result = encoder.encode(chunk);
  EXPECT_EQ(result.codec, Codec::kZstd);
  return copy(result.bytes);
}

void expect_damaged(Codec codec, ByteView stored) {
  Bytes out(kChunkBytes);
  try {
    decode_chunk(codec, stored, out);
    ADD_FAILURE() << "decoded " << stored.size() << " bytes";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDamaged) << error.what();
  }
}

TEST(Compression, ParsesAndPrints) {
  EXPECT_FALSE(Compression::parse("none").enabled);
  EXPECT_TRUE(Compression::parse("zstd").enabled);
  EXPECT_EQ(Compression::parse("zstd:7").level, 7);
  EXPECT_EQ(Compression::parse("zstd:-3").level, -3);
  for (const char* text : {"none", "zstd:1", "zstd:19", "zstd:-5"})
    EXPECT_EQ(Compression::parse(text).to_string(), text);
}

TEST(Compression, RefusesAnythingElse) {
  for (const char* text : {"", "lz4", "zstd:", "zstd:x", "zstd:1x", "ZSTD",
                           "zstd:99999999999999999999", "zstd:1000", "none:1",
                           "zstd: 1", "zstd:1 "}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::kUsage, "", [&] { Compression::parse(text); });
  }
}

TEST(Codec, TextShrinksAndComesBack) {
  for (const int level : {-5, 1, 3, 19}) {
    const Bytes chunk = text_bytes(1);
    ChunkEncoder encoder(Compression{true, level});
    const auto result = encoder.encode(chunk);
    EXPECT_EQ(result.codec, Codec::kZstd);
    EXPECT_LT(result.bytes.size(), chunk.size() / 2);
    Bytes out(kChunkBytes);
    decode_chunk(result.codec, result.bytes, out);
    EXPECT_EQ(out, chunk);
  }
}

TEST(Codec, WhatDoesNotShrinkStaysAsItIs) {
  const Bytes chunk = random_bytes(1);
  ChunkEncoder encoder(Compression{});
  const auto result = encoder.encode(chunk);
  EXPECT_EQ(result.codec, Codec::kStored);
  EXPECT_EQ(copy(result.bytes), chunk);
}

// Random bytes and a tail of zeroes as long as the saving should be.
TEST(Codec, ASixteenthDecides) {
  ChunkEncoder encoder(Compression{});
  Bytes chunk = random_bytes(2, kChunkBytes - kChunkBytes / 32);
  chunk.resize(kChunkBytes);
  EXPECT_EQ(encoder.encode(chunk).codec, Codec::kStored);
  chunk = random_bytes(2, kChunkBytes - kChunkBytes / 8);
  chunk.resize(kChunkBytes);
  EXPECT_EQ(encoder.encode(chunk).codec, Codec::kZstd);
}

TEST(Codec, NoneCompressesNothing) {
  ChunkEncoder encoder(Compression{false, 0});
  EXPECT_EQ(encoder.encode(text_bytes(1)).codec, Codec::kStored);
}

TEST(Codec, AnEncoderMovesAndServesAgain) {
  ChunkEncoder first(Compression{});
  ChunkEncoder encoder(std::move(first));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Bytes chunk = text_bytes(seed);
    const auto result = encoder.encode(chunk);
    Bytes out(kChunkBytes);
    decode_chunk(result.codec, result.bytes, out);
    ASSERT_EQ(out, chunk);
  }
}

TEST(Codec, TruncatedFramesAreDamaged) {
  const Bytes frame = compressed(text_bytes(1));
  for (size_t size = 0; size < frame.size(); size += 97)
    expect_damaged(Codec::kZstd, ByteView(frame).first(size));
}

TEST(Codec, AFrameFillsTheChunkExactly) {
  Bytes twice = compressed(text_bytes(1));
  const Bytes again = twice;
  twice.insert(twice.end(), again.begin(), again.end());
  expect_damaged(Codec::kZstd, twice);
  Bytes tail = again;
  tail.push_back(std::byte{0});
  expect_damaged(Codec::kZstd, tail);
  // `printf x | zstd`: a whole frame, of one byte.
  expect_damaged(Codec::kZstd, bytes_from_hex("28b52ffd04580900007823110483"));
}

TEST(Codec, StoredChunksAreWhole) {
  const Bytes chunk = random_bytes(3);
  Bytes out(kChunkBytes);
  decode_chunk(Codec::kStored, chunk, out);
  EXPECT_EQ(out, chunk);
  expect_damaged(Codec::kStored, ByteView(chunk).first(kChunkBytes - 1));
  expect_damaged(Codec::kStored, {});
}

}  // namespace
}  // namespace backstitch::format
