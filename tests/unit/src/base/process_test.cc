#include "src/base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/expect_error.h"

namespace backstitch::engine {
namespace {

using backstitch::test::expect_error;
using std::chrono::milliseconds;

TEST(Process, GivesTheOutput) {
  EXPECT_EQ(run({"echo", "a b", "*"}, "coreutils"), "a b *\n");
}

TEST(Process, AFailureSaysWhatTheProgramSaid) {
  expect_error(ErrorKind::kFailed, "no luck", [] {
    run({"sh", "-c", "echo no luck >&2; exit 3"}, "dash");
  });
  expect_error(ErrorKind::kFailed, "exit status 3", [] {
    run({"sh", "-c", "exit 3"}, "dash");
  });
}

TEST(Process, AMissingProgramNamesItsPackage) {
  expect_error(ErrorKind::kUnsupported, "some-package",
               [] { run({"no-such-program"}, "some-package"); });
}

TEST(Process, MuchOutputBlocksNobody) {
  EXPECT_EQ(run({"head", "-c", "3000000", "/dev/zero"}, "coreutils").size(),
            3000000U);
}

TEST(Process, StopEndsIt) {
  Process process = Process::start({"sleep", "100"}, "coreutils");
  EXPECT_FALSE(process.wait(milliseconds(1)));
  EXPECT_EQ(describe_status(process.stop()),
            "killed by signal 15 (Terminated)");
}

TEST(Process, IsEndedByItsOwner) {
  pid_t pid = 0;
  {
    const Process process = Process::start({"sleep", "100"}, "coreutils");
    pid = process.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Process, HasItsOwnGroup) {
  Process process = Process::start({"sleep", "100"}, "coreutils");
  // Set by the child, so it may take a moment.
  for (int i = 0; i < 1000 && ::getpgid(process.pid()) != process.pid(); ++i)
    process.wait(milliseconds(1));
  EXPECT_EQ(::getpgid(process.pid()), process.pid());
}

TEST(Process, HandsOverAListeningSocket) {
  const File null = File::open("/dev/null", O_RDONLY);
  Process process = Process::start(
      {"sh", "-c",
       "echo $LISTEN_FDS $((LISTEN_PID == $$)); test -e /proc/$$/fd/3"},
      "dash", {.die_with_us = true, .listen_fd = null.fd()});
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(process.standard_output(), "1 1\n");
}

}  // namespace
}  // namespace backstitch::engine
