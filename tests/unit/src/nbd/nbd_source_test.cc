// Against nbdkit: real servers that fail in every way that they can be told to.
#include "src/nbd/nbd_source.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "src/base/process.h"
#include "tests/support/content.h"
#include "tests/support/expect_error.h"
#include "tests/unit/src/nbd/point_bench.h"

namespace backstitch::engine {
namespace {

using backstitch::test::expect_error;
using backstitch::test::random_bytes;
using testing::PointBench;

constexpr uint64_t kSize = (24 << 20) + 1536;

class NbdSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/usr/sbin/nbdkit", X_OK) != 0 &&
        ::access("/usr/bin/nbdkit", X_OK) != 0) {
      FAIL() << "nbdkit is not installed";
    }
    std::ofstream file(directory_.path() / "disk", std::ios::binary);
    file.write(reinterpret_cast<const char*>(content_.data()),
               static_cast<std::streamsize>(content_.size()));
  }

  // Serves the disk through filters.
  NbdAddress serve(const Arguments& filters, const Arguments& parameters = {}) {
    const std::string socket = (directory_.path() / "socket").string();
    // Written once it listens; the socket is there a moment before.
    const std::string ready = (directory_.path() / "pid").string();
    Arguments arguments = {"nbdkit", "--foreground", "--exit-with-parent",
                           "--unix", socket,         "--pidfile",
                           ready};
    for (const std::string& filter : filters)
      arguments.push_back("--filter=" + filter);
    arguments.insert(arguments.end(),
                     {"file", (directory_.path() / "disk").string()});
    arguments.insert(arguments.end(), parameters.begin(), parameters.end());
    server_.emplace(Process::start(arguments, "nbdkit"));
    while (!std::filesystem::exists(ready) &&
           !server_->wait(std::chrono::milliseconds(10))) {
    }
    return {socket, ""};
  }

  void expect_copy(const NbdAddress& address) {
    NbdSource source(address, {});
    EXPECT_EQ(source.size_bytes(), kSize);
    bench_.take(source);
    EXPECT_TRUE(bench_.latest() == content_);
  }

  void expect_failure(const NbdAddress& address) {
    expect_error(ErrorKind::kFailed, "", [&] {
      NbdSource source(address, {});
      bench_.take(source);
    });
    EXPECT_TRUE(bench_.points().empty());
  }

  test::TempDir directory_;
  const Bytes content_ = [] {
    Bytes content = random_bytes(5, kSize);
    std::fill(content.begin() + (3 << 20), content.begin() + (9 << 20),
              std::byte{0});
    return content;
  }();
  std::optional<Process> server_;
  PointBench bench_;
};

TEST_F(NbdSourceTest, CopiesOverSeveralConnections) { expect_copy(serve({})); }

TEST_F(NbdSourceTest, CopiesOverOneConnection) {
  expect_copy(serve({"multi-conn"}, {"multi-conn-mode=disable"}));
}

TEST_F(NbdSourceTest, SlowAndShuffledRepliesAreRight) {
  expect_copy(serve({"delay"}, {"rdelay=20ms", "delay-extents=5ms"}));
}

TEST_F(NbdSourceTest, ShortExtentRepliesAreRight) {
  expect_copy(serve({"blocksize-policy"}, {"blocksize-preferred=4096"}));
}

// Some ten reads, each of which fails by chance: all but never do all succeed.
TEST_F(NbdSourceTest, AFailedReadIsFatal) {
  expect_failure(serve({"error"}, {"error-pread=EIO", "error-pread-rate=90%"}));
}

// That the server's malloc learns from it is glibc's to show (mallopt(3)).
TEST_F(NbdSourceTest, OneLargeReadTeachesTheServer) {
  const auto log = directory_.path() / "log";
  expect_copy(serve({"log"}, {"logfile=" + log.string()}));
  server_->stop();
  std::ifstream lines(log);
  int large = 0;
  int reads = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" Read ") == std::string::npos) continue;
    ++reads;
    if (line.find("count=0x400000") != std::string::npos) ++large;
  }
  EXPECT_GT(reads, 8);
  EXPECT_EQ(large, 1);
}

TEST_F(NbdSourceTest, AFailedExtentQueryIsFatal) {
  expect_failure(
      serve({"error"}, {"error-extents=EIO", "error-extents-rate=100%"}));
}

TEST_F(NbdSourceTest, AServerThatDiesIsFatal) {
  const NbdAddress address = serve({"delay"}, {"rdelay=200ms"});
  const std::jthread killer([pid = server_->pid()] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::kill(pid, SIGKILL);
  });
  expect_failure(address);
}

TEST_F(NbdSourceTest, RefusesAServerWithoutStructuredReplies) {
  const NbdAddress address = serve({});
  server_->stop();
  const std::string socket = (directory_.path() / "plain").string();
  server_.emplace(Process::start(
      {"nbdkit", "--foreground", "--no-sr", "--unix", socket, "memory", "1M"},
      "nbdkit"));
  while (!std::filesystem::exists(socket))
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  expect_error(ErrorKind::kUnsupported, "structured replies", [&] {
    NbdSource source({socket, ""}, {});
  });
}

TEST_F(NbdSourceTest, RefusesAMissingBitmap) {
  const NbdAddress address = serve({});
  expect_error(ErrorKind::kFailed, "qemu:dirty-bitmap:none",
               [&] { NbdSource source(address, {.bitmap = "none"}); });
}

TEST_F(NbdSourceTest, SaysWhyItCannotConnect) {
  expect_error(ErrorKind::kFailed, "No such file", [&] {
    NbdSource source({(directory_.path() / "nowhere").string(), ""}, {});
  });
}

}  // namespace
}  // namespace backstitch::engine
