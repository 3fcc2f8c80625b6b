#include "format/base/cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace backstitch {
namespace {

using IntCache = Cache<int, int, std::hash<int>>;

std::shared_ptr<const int> made(int value) {
  return std::make_shared<const int>(value);
}

TEST(Cache, MakesAValueOnce) {
  IntCache cache(1600);
  int count = 0;
  const auto make = [&] {
    ++count;
    return made(7);
  };
  EXPECT_EQ(*cache.get(1, 1, make), 7);
  EXPECT_EQ(*cache.get(1, 1, make), 7);
  EXPECT_EQ(count, 1);
}

TEST(Cache, PeekNeverMakes) {
  IntCache cache(1600);
  EXPECT_EQ(cache.peek(1), nullptr);
  cache.get(1, 1, [] { return made(7); });
  ASSERT_NE(cache.peek(1), nullptr);
  EXPECT_EQ(*cache.peek(1), 7);
}

TEST(Cache, StaysWithinItsCapacity) {
  IntCache cache(16 * 100);
  for (int key = 0; key < 10000; ++key)
    cache.get(key, 10, [&] { return made(key); });
  int held = 0;
  for (int key = 0; key < 10000; ++key) held += cache.peek(key) != nullptr;
  EXPECT_LE(held, 160);
  EXPECT_GT(held, 0);
}

TEST(Cache, WhatWasUsedLastStays) {
  IntCache cache(16 * 100);
  cache.get(0, 10, [] { return made(0); });
  for (int key = 1; key < 5000; ++key) {
    cache.get(key, 10, [&] { return made(key); });
    ASSERT_NE(cache.peek(0), nullptr) << key;
  }
}

TEST(Cache, AValueHandedOutLives) {
  IntCache cache(16);
  const auto held = cache.get(0, 10, [] { return made(42); });
  for (int key = 1; key < 1000; ++key)
    cache.get(key, 10, [&] { return made(key); });
  EXPECT_EQ(cache.peek(0), nullptr);
  EXPECT_EQ(*held, 42);
}

TEST(Cache, AFailureIsNotRemembered) {
  IntCache cache(1600);
  const auto fail = []() -> IntCache::Pointer {
    throw std::runtime_error("no");
  };
  EXPECT_THROW(cache.get(1, 1, fail), std::runtime_error);
  EXPECT_EQ(*cache.get(1, 1, [] { return made(7); }), 7);
}

// However many threads ask at once, one makes the value and all get it.
TEST(Cache, OneMakesForAllThatWait) {
  IntCache cache(1600);
  std::atomic<int> count = 0;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto value = cache.get(5, 1, [&] {
          ++count;
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          return made(9);
        });
        right += *value == 9;
      });
    }
  }
  EXPECT_EQ(count, 1);
  EXPECT_EQ(right, 8);
}

// Whether the failure of a make that takes its time comes to who asked.
bool hears_of_failure(IntCache& cache) {
  try {
    cache.get(5, 1, []() -> IntCache::Pointer {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      throw std::runtime_error("no");
    });
    return false;
  } catch (const std::runtime_error&) {
    return true;
  }
}

// All that waited for a failed make get its exception; nobody hangs.
TEST(Cache, AFailureReachesAllThatWait) {
  IntCache cache(1600);
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        if (hears_of_failure(cache)) ++failures;
      });
    }
  }
  EXPECT_EQ(failures, 8);
}

}  // namespace
}  // namespace backstitch
