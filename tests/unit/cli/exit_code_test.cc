#include "src/cli/exit_code.h"

#include <gtest/gtest.h>

#include <set>

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

}  // namespace
}  // namespace backstitch::cli
