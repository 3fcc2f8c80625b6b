#include "src/recovery/console_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "src/recovery/line_pattern.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace backstitch::engine {
namespace {

using backstitch::test::expect_error;

TEST(PlainText, IsWhatPeopleRead) {
  EXPECT_EQ(plain_text("a\x1b[1;31mred\x1b[0m\tb\r"), "ared\tb");
  EXPECT_EQ(plain_text("\x1b]0;title\a[ \x1b(BOK ]\x07"), "[ OK ]");
  EXPECT_EQ(plain_text(std::string("n\0ul", 4)), "nul");
  EXPECT_EQ(plain_text("caf\xc3\xa9 \xff"), "caf\xc3\xa9 \xef\xbf\xbd");
  // Cut off in the middle of a sequence.
  EXPECT_EQ(plain_text("x\x1b"), "x");
  EXPECT_EQ(plain_text("x\x1b[12"), "x");
  EXPECT_EQ(plain_text("x\x1b]0"), "x");
}

class ConsoleLogTest : public ::testing::Test {
 protected:
  void append(const std::string& text) {
    const File file = File::open(path_, O_WRONLY | O_CREAT | O_APPEND);
    file.write_at(file.size(), std::as_bytes(std::span(text)));
  }
  // The lines that were looked at.
  std::vector<std::string> read() {
    std::vector<std::string> lines;
    log_.read([&](const std::string& line) {
      lines.push_back(line);
      return false;
    });
    return lines;
  }

  using Lines = std::vector<std::string>;
  test::TempDir directory_;
  std::filesystem::path path_ = directory_.path() / "console.log";
  ConsoleLog log_{"serial0", path_};
};

TEST_F(ConsoleLogTest, GivesEachLineAndThePromptThatHasNoEnd) {
  EXPECT_EQ(read(), Lines{});
  append("one\r\ntwo\nlog");
  EXPECT_EQ(read(), (Lines{"one", "two", "log"}));
  append("in: ");
  EXPECT_EQ(read(), Lines{"login: "});
  EXPECT_EQ(log_.tail(), "one\ntwo\nlogin: \n");
}

TEST_F(ConsoleLogTest, GoesOnInTheNextFile) {
  append("one\ntw");
  read();
  append("o\nthree\n");
  std::filesystem::rename(path_, directory_.path() / "console.log.0");
  append("four\n");
  EXPECT_EQ(read(), (Lines{"two", "three", "four"}));
}

TEST_F(ConsoleLogTest, KeepsNoMoreThanItNeeds) {
  append(std::string(10000, 'x') + "\n");
  size_t length = 0;
  for (const std::string& line : read()) {
    EXPECT_LE(line.size(), 4096U);
    length += line.size();
  }
  EXPECT_EQ(length, 10000U);
  for (int i = 0; i < 2000; ++i) append(std::to_string(i) + "\n");
  read();
  const std::string tail = log_.tail();
  EXPECT_LT(tail.size(), 3000U);
  EXPECT_TRUE(tail.ends_with("1998\n1999\n"));
}

TEST(LinePattern, IsThatOfGrep) {
  EXPECT_TRUE(LinePattern("log(in|on):").matches("vm1 login: "));
  EXPECT_FALSE(LinePattern("^login").matches("vm1 login: "));
  expect_error(ErrorKind::kUsage, "no regular expression",
               [] { LinePattern{"("}; });
}

}  // namespace
}  // namespace backstitch::engine
