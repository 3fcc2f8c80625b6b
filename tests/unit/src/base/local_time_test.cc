#include "src/base/local_time.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace backstitch::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(SpanTest, IsParsed) {
  EXPECT_EQ(parse_span("90m"), seconds(5400));
  EXPECT_EQ(parse_span("26h"), hours(26));
  EXPECT_EQ(parse_span("3d"), hours(72));
  EXPECT_EQ(parse_span("2w"), hours(14 * 24));
}

TEST(SpanTest, WhatIsNoneIsRefused) {
  for (const char* text : {"", "h", "26", "26 h", " 26h", "26H", "-1h", "+1h",
                           "0d", "1.5h", "1hh", "9999w", "99999999999h"}) {
    EXPECT_EQ(parse_span(text), std::nullopt) << text;
  }
}

TEST(SpanTest, IsRounded) {
  EXPECT_EQ(span_text(seconds(0)), "0 s");
  EXPECT_EQ(span_text(seconds(89)), "89 s");
  EXPECT_EQ(span_text(seconds(100)), "2 min");
  EXPECT_EQ(span_text(hours(1)), "1 h");
  EXPECT_EQ(span_text(minutes(150)), "2.5 h");
  EXPECT_EQ(span_text(hours(26)), "26 h");
  EXPECT_EQ(span_text(hours(49)), "2 days");
}

TEST(LocalTimeTest, TheDayIsTheLocalOne) {
  ::setenv("TZ", "UTC-14", 1);  // east of Greenwich, in POSIX
  ::tzset();
  const format::Time late = format::parse_time("1970-01-02T11:00:00.000Z");
  EXPECT_EQ(local_day(late), 2);
  EXPECT_EQ(local_text(late, "%Y-%m-%d %H:%M"), "1970-01-03 01:00");
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(local_day(late), 1);
}

}  // namespace
}  // namespace backstitch::engine
