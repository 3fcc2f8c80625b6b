#include "src/cli/exit_code.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "src/base/stop.h"

namespace backstitch::cli {
namespace {

constexpr ErrorKind kKinds[] = {
    ErrorKind::kFailed,  ErrorKind::kUsage,       ErrorKind::kNotFound,
    ErrorKind::kDamaged, ErrorKind::kBusy,        ErrorKind::kUnsupported,
    ErrorKind::kNoBase,  ErrorKind::kInterrupted,
};

TEST(ExitCode, IsTheDocumentedOne) {
  const int expected[] = {1, 2, 3, 4, 5, 6, 7, 130};
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    EXPECT_EQ(exit_code(kKinds[i]), expected[i]);
  }
}

TEST(ExitCode, LeadsBackToTheKind) {
  for (const auto kind : kKinds) EXPECT_EQ(error_kind(exit_code(kind)), kind);
  EXPECT_EQ(error_kind(127), ErrorKind::kFailed);
  EXPECT_EQ(error_kind(0), ErrorKind::kFailed);
}

TEST(ExitCode, KindsHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const auto kind : kKinds) names.insert(to_string(kind));
  EXPECT_EQ(names.size(), std::size(kKinds));
}

// What main does once a signal has asked a command to stop.
[[noreturn]] void stop_by(int number) {
  engine::catch_stop_signals();
  std::raise(number);
  try {
    engine::check_stop();
  } catch (const Error& error) {
    std::_Exit(exit_code(error.kind()));
  }
  std::_Exit(0);
}

TEST(ExitCodeDeathTest, OfAnInterruptionIsThatOfItsSignal) {
  EXPECT_EXIT(stop_by(SIGINT), testing::ExitedWithCode(130), "");
  EXPECT_EXIT(stop_by(SIGTERM), testing::ExitedWithCode(143), "");
}

}  // namespace
}  // namespace backstitch::cli
