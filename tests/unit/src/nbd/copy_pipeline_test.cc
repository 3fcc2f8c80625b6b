#include "src/nbd/copy_pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/nbd/flow.h"
#include "tests/support/content.h"
#include "tests/support/expect_error.h"
#include "tests/support/seed.h"
#include "tests/unit/src/nbd/memory_source.h"
#include "tests/unit/src/nbd/point_bench.h"

namespace backstitch::engine {
namespace {

using backstitch::test::expect_error;
using backstitch::test::text_bytes;
using format::kChunkBytes;
using test::Random;
using testing::MemorySource;
using testing::PointBench;

// A flat disk that changes, and the runs that a good source would tell.
class FlatDisk {
 public:
  FlatDisk(Random& random, uint64_t size) : random_(random), bytes_(size) {}

  std::vector<ChunkRun> change() {
    std::vector<ChunkRun> runs;
    const uint64_t chunks = format::chunk_count(bytes_.size());
    for (uint64_t first = 0; first < chunks;) {
      const uint64_t count = std::min(1 + random_.below(40), chunks - first);
      const auto state = static_cast<ChunkState>(random_.below(3));
      const ChunkRun run{first, count, state};
      if (state != ChunkState::kClean) fill(run);
      runs.push_back(run);
      first += count;
    }
    return runs;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  void fill(const ChunkRun& run) {
    for (uint64_t chunk = run.first; chunk < run.first + run.count; ++chunk) {
      const uint64_t begin = chunk * kChunkBytes;
      const uint64_t length = std::min(kChunkBytes, bytes_.size() - begin);
      const bool zero = run.state == ChunkState::kZero || random_.chance(5);
      const Bytes fresh =
          zero ? Bytes(kChunkBytes) : text_bytes(random_.below(50));
      std::copy_n(fresh.begin(), length,
                  bytes_.begin() + static_cast<ptrdiff_t>(begin));
    }
  }

  Random& random_;
  Bytes bytes_;
};

TEST(CopyPipeline, ChainsEqualAFlatModel) {
  for (uint64_t stream = 0; stream < 12; ++stream) {
    Random random(stream);
    PointBench bench;
    FlatDisk disk(random, (1 + random.below(300 * 128)) * 512);
    for (int point = 0; point < 5; ++point) {
      auto runs = disk.change();
      MemorySource source(disk.bytes(), runs);
      source.readers = 1 + static_cast<unsigned>(random.below(4));
      CopyOptions options;
      options.sifters = 1 + static_cast<unsigned>(random.below(4));
      options.buffers = 1 + static_cast<unsigned>(random.below(8));
      bench.take(source, options);
      ASSERT_TRUE(bench.latest() == disk.bytes()) << "point " << point;
    }
  }
}

TEST(CopyPipeline, CountsWhatItReads) {
  PointBench bench;
  const uint64_t size = 40 * kChunkBytes + 512;
  MemorySource source(text_bytes(1, size), {{0, 10, ChunkState::kClean},
                                            {10, 20, ChunkState::kZero},
                                            {30, 11, ChunkState::kData}});
  const auto disk = bench.take(source);
  EXPECT_EQ(disk.read_bytes, 10 * kChunkBytes + 512);
  EXPECT_EQ(disk.changed_chunks, 11U);
}

TEST(CopyPipeline, BoundsWhatIsInFlight) {
  PointBench bench;
  const uint64_t chunks = 400;
  MemorySource source(Bytes(chunks * kChunkBytes),
                      {{0, chunks, ChunkState::kData}});
  CopyOptions options;
  options.buffers = 4;
  options.depth = 16;
  bench.take(source, options);
  EXPECT_LE(source.most_in_flight,
            options.buffers * kPieceChunks * kChunkBytes);
}

TEST(CopyPipeline, AFailedReadIsTheFailure) {
  for (uint64_t at : {uint64_t{0}, 50 * kChunkBytes, 100 * kChunkBytes - 1}) {
    PointBench bench;
    MemorySource source(text_bytes(3, 100 * kChunkBytes),
                        {{0, 100, ChunkState::kData}});
    source.fail_at_offset = at;
    expect_error(ErrorKind::kFailed, "the read failed",
                 [&] { bench.take(source); });
    EXPECT_TRUE(bench.points().empty());
  }
}

TEST(CopyPipeline, AFailedQueryIsTheFailure) {
  PointBench bench;
  MemorySource source(
      text_bytes(3, 100 * kChunkBytes),
      {{0, 50, ChunkState::kData}, {50, 50, ChunkState::kData}});
  source.fail_at_run = 1;
  expect_error(ErrorKind::kFailed, "the query failed",
               [&] { bench.take(source); });
  EXPECT_TRUE(bench.points().empty());
}

}  // namespace
}  // namespace backstitch::engine
