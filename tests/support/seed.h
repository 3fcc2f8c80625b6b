// Seeds of random tests: printed, and set again by BACKSTITCH_SEED.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace backstitch::test {

inline uint64_t test_seed() {
  static const uint64_t seed = [] {
    const char* given = std::getenv("BACKSTITCH_SEED");
    const uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10)
                                            : std::random_device()();
    std::cout << "BACKSTITCH_SEED=" << value << std::endl;
    return value;
  }();
  return seed;
}

class Random {
 public:
  explicit Random(uint64_t stream)
      : engine_(test_seed() * 0x9E3779B97F4A7C15ULL + stream) {}
  // Uniform in [0, limit); 0 for a limit of 0.
  uint64_t below(uint64_t limit) { return limit == 0 ? 0 : engine_() % limit; }
  bool chance(uint64_t one_in) { return below(one_in) == 0; }
  uint64_t bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace backstitch::test
