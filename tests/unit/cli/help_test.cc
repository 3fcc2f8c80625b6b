#include "src/cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "src/cli/commands.h"
#include "src/cli/completion.h"
#include "src/cli/frame.h"
#include "src/cli/table.h"

namespace backstitch::cli {
namespace {

namespace po = boost::program_options;
using testing::HasSubstr;

void expect_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), 80U) << line;
  }
}

TEST(Help, FitsATerminal) {
  expect_narrow(overview_help(global_options()));
  for (const auto& command : commands()) expect_narrow(command_help(command));
}

TEST(Help, NamesEveryCommand) {
  const std::string text = overview_help(global_options());
  for (const auto& command : commands()) {
    EXPECT_THAT(text, HasSubstr("\n  " + command.name + " "));
  }
}

TEST(Help, DescribesAnOption) {
  Options options;
  options.add_options()(
      "level,l",
      po::value<std::string>()->value_name("LEVEL")->default_value("auto"),
      "how much");
  const OptionText text = describe(*options.options().front());
  EXPECT_EQ(text.short_name, "-l");
  EXPECT_EQ(text.long_name, "--level");
  EXPECT_EQ(text.value, "LEVEL");
  EXPECT_EQ(text.default_value, "auto");
  EXPECT_EQ(text.description, "how much");
}

TEST(Completion, HoldsEveryCommandAndOption) {
  for (const auto& script :
       {bash_completion(), zsh_completion(), fish_completion()}) {
    for (const auto& command : commands()) {
      std::istringstream words(command.name);
      for (std::string word; words >> word;)
        EXPECT_THAT(script, HasSubstr(word));
    }
    EXPECT_THAT(script, HasSubstr("keep-last"));
    EXPECT_THAT(script, HasSubstr("repository"));
  }
}

TEST(Completion, QuotesForShells) {
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace backstitch::cli
