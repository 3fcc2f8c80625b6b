#include "src/nbd/throttle.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A lower bound only: nothing runs faster on a loaded machine.
TEST(RateLimit, IsNotExceeded) {
  constexpr uint64_t kRate = 10 << 20;
  RateLimit limit(kRate);
  const auto begin = steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 5; ++j) limit.wait_for(kRate / 100);
      });
    }
  }
  // 20 pieces of 10 ms each, the first of which is free.
  EXPECT_GE(steady_clock::now() - begin, milliseconds(185));
}

}  // namespace
}  // namespace backstitch::engine
