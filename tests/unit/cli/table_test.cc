#include "src/cli/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>

namespace backstitch::cli {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"SIZE", Table::Align::kRight}, {"NOTE"}});
  table.add({"a", "1 B", ""});
  table.add({"longer", "100 B", "x"});
  EXPECT_EQ(table.to_string(),
            "NAME     SIZE  NOTE\n"
            "a         1 B\n"
            "longer  100 B  x\n");
}

TEST(Table, NeverLetsANameMoveTheCursor) {
  Table table({{"NAME"}});
  table.add({"evil\033[2J\nname"});
  const std::string text = table.to_string();
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

class DisplayWidth : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    // Both are part of the C library.
    ASSERT_NE(std::setlocale(LC_CTYPE, GetParam()), nullptr);
  }
  void TearDown() override { std::setlocale(LC_CTYPE, "C"); }
};

TEST_P(DisplayWidth, CountsCellsNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("Büro"), 4U);
  EXPECT_EQ(display_width("POINT…"), 6U);
}

INSTANTIATE_TEST_SUITE_P(Locales, DisplayWidth,
                         testing::Values("C", "C.UTF-8"));

}  // namespace
}  // namespace backstitch::cli
