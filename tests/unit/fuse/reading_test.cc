#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "fuse/reading/sequence.h"
#include "fuse/reading/worker_pool.h"

namespace backstitch::mount {
namespace {

constexpr uint64_t kKib = 1024;

TEST(SequenceTracker, ChanceNeighboursAreNoSequence) {
  SequenceTracker tracker;
  EXPECT_FALSE(tracker.observe(0, 4 * kKib));
  EXPECT_FALSE(tracker.observe(4 * kKib, 4 * kKib));
  EXPECT_FALSE(tracker.observe(900000 * kKib, 4 * kKib));
  EXPECT_FALSE(tracker.observe(30 * kKib, 4 * kKib));
}

TEST(SequenceTracker, AReaderIsKeptAhead) {
  SequenceTracker tracker;
  uint64_t asked_end = 0;
  uint64_t requests = 0;
  for (uint64_t at = 0; at < (16 << 20); at += 64 * kKib) {
    const auto ahead = tracker.observe(at, 64 * kKib);
    if (!ahead) continue;
    ++requests;
    EXPECT_GE(ahead->offset, at + 64 * kKib);
    EXPECT_GE(ahead->offset, asked_end) << "asked twice";
    asked_end = ahead->offset + ahead->length;
    EXPECT_LE(asked_end, at + 64 * kKib + SequenceTracker::kWindowBytes);
  }
  EXPECT_GT(asked_end, 16U << 20);
  EXPECT_LT(requests, 40U);
}

TEST(SequenceTracker, RequestsMayOvertakeEachOther) {
  SequenceTracker tracker;
  int asked = 0;
  for (uint64_t at = 0; at < (8 << 20); at += 256 * kKib) {
    asked += tracker.observe(at + 128 * kKib, 128 * kKib) ? 1 : 0;
    asked += tracker.observe(at, 128 * kKib) ? 1 : 0;
  }
  EXPECT_GT(asked, 3);
}

TEST(SequenceTracker, AJumpStartsAnew) {
  SequenceTracker tracker;
  for (uint64_t at = 0; at < (4 << 20); at += 256 * kKib)
    tracker.observe(at, 256 * kKib);
  EXPECT_FALSE(tracker.observe(100 << 20, 256 * kKib));
  const auto ahead = tracker.observe((100 << 20) + 256 * kKib, 256 * kKib);
  ASSERT_TRUE(ahead);
  EXPECT_EQ(ahead->offset, (100U << 20) + 512 * kKib);
  EXPECT_EQ(ahead->length, 512 * kKib);
}

TEST(WorkerPool, DoesWhatItTook) {
  std::atomic<int> done = 0;
  std::latch all(100);
  WorkerPool pool(3, 1000);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pool.try_post([&] {
      ++done;
      all.count_down();
    }));
  }
  all.wait();
  EXPECT_EQ(done, 100);
}

TEST(WorkerPool, RefusesWhatIsTooMuchAndStopsInTheMiddle) {
  std::latch begun(1);
  std::latch may_end(1);
  WorkerPool pool(1, 2);
  ASSERT_TRUE(pool.try_post([&] {
    begun.count_down();
    may_end.wait();
  }));
  begun.wait();
  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_FALSE(pool.try_post([] {}));
  may_end.count_down();
}

}  // namespace
}  // namespace backstitch::mount
