#include "src/cli/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "src/cli/arguments.h"
#include "src/cli/commands.h"
#include "src/cli/help.h"

namespace backstitch::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Action = Invocation::Action;

class Frame : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("BACKSTITCH_REPOSITORY");
    ::unsetenv("LIBVIRT_DEFAULT_URI");
  }
};

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse_arguments(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "";
}

TEST_F(Frame, FindsTheCommandBehindGlobalOptions) {
  const auto call =
      parse_arguments({"-r", "list", "--json", "-qc", "x", "show", "vm1@2"});
  EXPECT_EQ(call.action, Action::kRun);
  EXPECT_EQ(call.command->name, "show");
  EXPECT_EQ(call.globals.repository, "list");
  EXPECT_EQ(call.globals.connect, "x");
  EXPECT_TRUE(call.globals.json);
  EXPECT_TRUE(call.globals.quiet);
  EXPECT_EQ(text(call.values, "point"), "vm1@2");
}

TEST_F(Frame, TakesGlobalOptionsBehindTheCommand) {
  const auto call = parse_arguments({"-r/a", "list", "--repository=/b", "-vv"});
  EXPECT_EQ(call.globals.repository, "/b");
  EXPECT_EQ(call.globals.verbose, 2);
}

TEST_F(Frame, AsksTheEnvironment) {
  EXPECT_EQ(parse_arguments({"list"}).globals.connect, "qemu:///system");
  ::setenv("BACKSTITCH_REPOSITORY", "/env", 1);
  ::setenv("LIBVIRT_DEFAULT_URI", "test:///default", 1);
  EXPECT_EQ(parse_arguments({"list"}).globals.repository, "/env");
  EXPECT_EQ(parse_arguments({"list"}).globals.connect, "test:///default");
  EXPECT_EQ(parse_arguments({"-r/x", "list"}).globals.repository, "/x");
}

TEST_F(Frame, GathersArguments) {
  const auto call = parse_arguments({"delete", "a@1", "-n", "--", "-b@2"});
  EXPECT_THAT(texts(call.values, "point"), ElementsAre("a@1", "-b@2"));
  EXPECT_TRUE(flag(call.values, "dry-run"));
}

TEST_F(Frame, RefusesWithASuggestion) {
  EXPECT_EQ(refusal({"lst"}), "unknown command 'lst'; did you mean 'list'?");
  EXPECT_EQ(refusal({"list", "--al"}),
            "unknown option '--al'; did you mean '--all'?");
  EXPECT_EQ(refusal({"--josn", "list"}),
            "unknown option '--josn'; did you mean '--json'?");
  EXPECT_EQ(refusal({"list", "-Z"}), "unknown option '-Z'");
}

TEST_F(Frame, RefusesWhatIsMissingOrTooMuch) {
  EXPECT_THAT(refusal({}), HasSubstr("no command"));
  EXPECT_THAT(refusal({"-r"}), HasSubstr("--repository"));
  EXPECT_EQ(refusal({"show"}), "usage: backstitch show POINT");
  EXPECT_EQ(refusal({"list", "a", "b"}), "too many arguments");
  EXPECT_THAT(refusal({"prune", "vm1", "--keep-last", "x"}),
              HasSubstr("keep-last"));
}

TEST_F(Frame, HelpNeedsNoArguments) {
  EXPECT_EQ(parse_arguments({"--help"}).action, Action::kHelp);
  const auto call = parse_arguments({"show", "-h"});
  EXPECT_EQ(call.action, Action::kHelp);
  EXPECT_EQ(call.command->name, "show");
  EXPECT_EQ(parse_arguments({"--version"}).action, Action::kVersion);
}

TEST_F(Frame, KnowsWhoWantsJson) {
  EXPECT_TRUE(wants_json({"frobnicate", "--json"}));
  EXPECT_FALSE(wants_json({"delete", "--", "--json"}));
}

// As they may be given with a command.
std::vector<std::string> option_names(const Command& command) {
  std::vector<std::string> names;
  for (const Options* options : {&global_options(), &command.options}) {
    for (const auto& option : options->options()) {
      const OptionText text = describe(*option);
      for (const auto& name : {text.short_name, text.long_name}) {
        if (!name.empty()) names.push_back(name);
      }
    }
  }
  return names;
}

TEST(CommandTable, HasNoOptionTwice) {
  for (const auto& command : commands()) {
    std::set<std::string> seen;
    for (const auto& name : option_names(command))
      EXPECT_TRUE(seen.insert(name).second) << command.name << " " << name;
    EXPECT_FALSE(seen.empty()) << command.name;
  }
}

TEST(CommandTable, TellsWhatEachIsFor) {
  std::set<std::string> names;
  for (const auto& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_TRUE(command.summary.ends_with(".")) << command.name;
    EXPECT_TRUE(command.run) << command.name;
  }
}

}  // namespace
}  // namespace backstitch::cli
