#include "src/cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace backstitch::cli {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

TEST(ProgressBar, FillsTheLineAndNoMore) {
  const ProgressState state{"vda", 512 * kMiB, 1024 * kMiB, 2};
  const std::string bar = progress_bar(state, 79);
  EXPECT_EQ(bar.size(), 79U);
  EXPECT_THAT(bar, HasSubstr("vda [==="));
  EXPECT_THAT(bar, HasSubstr("] "));
  EXPECT_THAT(bar, HasSubstr(" 50%"));
  EXPECT_THAT(bar, HasSubstr("256 MiB/s"));
  EXPECT_THAT(bar, HasSubstr("ETA 0:02"));
}

TEST(ProgressBar, FitsNarrowTerminals) {
  const ProgressState state{std::string(60, 'x'), 5, 10, 1};
  for (size_t width = 0; width < 100; ++width) {
    EXPECT_LE(progress_bar(state, width).size(), width);
  }
}

TEST(ProgressBar, SaysOnlyWhatIsKnown) {
  const std::string text = progress_bar({"vm1", 10 * kMiB, 0, 1}, 79);
  EXPECT_EQ(text, "vm1  10.0 MiB  10.0 MiB/s");
}

TEST(ProgressBar, NeverPassesTheEnd) {
  EXPECT_THAT(progress_bar({"vda", 20, 10, 1}, 79), HasSubstr("100%"));
  EXPECT_THAT(progress_bar({"vda", 0, 10, 0}, 79), HasSubstr("  0%"));
}

TEST(ProgressText, HoldsNoBar) {
  EXPECT_EQ(progress_text({"vda", 5 * kMiB, 10 * kMiB, 5}),
            "vda: 50%  5.00 MiB of 10.0 MiB  1.00 MiB/s  ETA 0:05");
}

// What a view writes while `work` runs.
template <typename Work>
std::string written(ProgressView::Kind kind, milliseconds interval,
                    const Work& work) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  {
    ProgressView view(ends[1], kind, 79, interval);
    work(view);
  }
  ::close(ends[1]);
  std::string text(1 << 16, '\0');
  const ssize_t got = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

TEST(ProgressView, SaysNothingOfShortWork) {
  EXPECT_EQ(written(ProgressView::Kind::kLines, milliseconds(10'000),
                    [](ProgressView& view) {
                      view.begin("vda", 100);
                      view.advance(100);
                      view.end();
                    }),
            "");
}

TEST(ProgressView, WritesALineNowAndThen) {
  const std::string text = written(
      ProgressView::Kind::kLines, milliseconds(5), [](ProgressView& view) {
        view.begin("vda", 100);
        view.advance(50);
        std::this_thread::sleep_for(milliseconds(50));
        view.end();
      });
  EXPECT_THAT(text, HasSubstr("vda: 50%"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(ProgressView, TakesItsBarAway) {
  const std::string text = written(
      ProgressView::Kind::kBar, milliseconds(5), [](ProgressView& view) {
        view.begin("vda", 100);
        std::this_thread::sleep_for(milliseconds(50));
      });
  EXPECT_THAT(text, HasSubstr("vda ["));
  EXPECT_TRUE(text.ends_with("\r\033[K"));
}

TEST(ProgressView, CountsWhatManyThreadsDo) {
  const std::string text = written(
      ProgressView::Kind::kLines, milliseconds(20), [](ProgressView& view) {
        view.begin("vda", 4000);
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
          threads.emplace_back([&view] {
            for (int j = 0; j < 1000; ++j) view.advance(1);
          });
        }
        threads.clear();
        std::this_thread::sleep_for(milliseconds(60));
        view.end();
      });
  EXPECT_THAT(text, HasSubstr("100%"));
}

}  // namespace
}  // namespace backstitch::cli
