#include "src/cli/suggest.h"

#include <gtest/gtest.h>

namespace backstitch::cli {
namespace {

const std::vector<std::string> kCommands = {"backup", "list", "mount",
                                            "unmount", "verify"};

TEST(Suggest, FindsWhatFingersMissed) {
  EXPECT_EQ(nearest("lst", kCommands), "list");
  EXPECT_EQ(nearest("bakcup", kCommands), "backup");
  EXPECT_EQ(nearest("umount", kCommands), "unmount");
  EXPECT_EQ(nearest("verfy", kCommands), "verify");
}

TEST(Suggest, CompletesABeginning) {
  EXPECT_EQ(nearest("ver", kCommands), "verify");
}

TEST(Suggest, IsSilentAboutOtherWords) {
  EXPECT_EQ(nearest("frobnicate", kCommands), "");
  EXPECT_EQ(nearest("x", kCommands), "");
  EXPECT_EQ(nearest("", kCommands), "");
}

TEST(Suggest, Asks) {
  EXPECT_EQ(did_you_mean("lst", kCommands), "; did you mean 'list'?");
  EXPECT_EQ(did_you_mean("frobnicate", kCommands), "");
}

}  // namespace
}  // namespace backstitch::cli
