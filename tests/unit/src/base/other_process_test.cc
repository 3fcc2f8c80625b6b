#include "src/base/other_process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A child of the test, which takes leave of it only at the end.
class Child {
 public:
  explicit Child(bool ends) : pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ != 0) return;
    if (!ends) ::pause();  // until a signal ends it
    ::_exit(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

TEST(OtherProcess, AZombieHasEnded) {
  const Child child(true);
  EXPECT_TRUE(OtherProcess(child.pid()).ends_within(seconds(10)));
  EXPECT_EQ(::kill(child.pid(), 0), 0);  // it is still there
}

TEST(OtherProcess, EndsWhenItIsTold) {
  const Child child(false);
  const OtherProcess process(child.pid());
  EXPECT_FALSE(process.ends_within(milliseconds(20)));
  process.signal(SIGTERM);
  EXPECT_TRUE(process.ends_within(seconds(10)));
}

TEST(OtherProcess, OneThatIsGoneHasEnded) {
  pid_t pid = 0;
  {
    const Child child(true);
    pid = child.pid();
  }
  const OtherProcess process(pid);
  process.signal(SIGTERM);
  EXPECT_TRUE(process.ends_within(milliseconds(0)));
}

}  // namespace
}  // namespace backstitch::engine
