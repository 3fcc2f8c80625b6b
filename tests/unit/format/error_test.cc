#include "format/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace backstitch {
namespace {

TEST(Error, SystemErrorsSayWhatAndWhy) {
  const Error error = system_error(ENOSPC, "write /r/vm1/vda.data");
  EXPECT_STREQ(error.what(),
               "cannot write /r/vm1/vda.data: No space left on device");
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_EQ(error.system_errno(), ENOSPC);
}

TEST(Error, WhatIsMissingIsNotFound) {
  EXPECT_EQ(system_error(ENOENT, "open x").kind(), ErrorKind::kNotFound);
}

TEST(Error, ContextKeepsKindAndErrno) {
  const Error error =
      add_context(Error(ErrorKind::kBusy, "is locked", EAGAIN), "vm1");
  EXPECT_STREQ(error.what(), "vm1: is locked");
  EXPECT_EQ(error.kind(), ErrorKind::kBusy);
  EXPECT_EQ(error.system_errno(), EAGAIN);
}

}  // namespace
}  // namespace backstitch
