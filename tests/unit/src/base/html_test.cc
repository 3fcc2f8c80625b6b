#include "src/base/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstitch::engine {
namespace {

using ::testing::HasSubstr;

TEST(HtmlTest, TextIsNoMarkup) {
  EXPECT_EQ(html_escaped("<a href='x' title=\"y\">&amp;"),
            "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;");
  EXPECT_EQ(html_escaped("\u00e4 \u202e\u202c"), "\u00e4 \u202e\u202c");
  EXPECT_EQ(html_name("a\u202eb\u202c"), "<bdi>a\u202eb\u202c</bdi>");
}

TEST(HtmlTest, ControlCharactersAreShown) {
  EXPECT_EQ(html_escaped("a\x1b[1m\nb\tc\r"), "a\\x1b[1m\nb\tc\\x0d");
}

// RFC 4648, section 10.
TEST(HtmlTest, Base64) {
  const auto url = [](std::string_view text) {
    return png_url(std::as_bytes(std::span(text)));
  };
  const std::string begin = "data:image/png;base64,";
  EXPECT_EQ(url(""), begin);
  EXPECT_EQ(url("f"), begin + "Zg==");
  EXPECT_EQ(url("fo"), begin + "Zm8=");
  EXPECT_EQ(url("foo"), begin + "Zm9v");
  EXPECT_EQ(url("foobar"), begin + "Zm9vYmFy");
}

TEST(HtmlTest, ThePageForbidsWhatIsNotInIt) {
  const std::string page = html_page("<t>", "p{}", "<p>x</p>");
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("<title>&lt;t&gt;</title>"));
  EXPECT_THAT(page, HasSubstr("p{}</style></head><body>\n<p>x</p></body>"));
}

}  // namespace
}  // namespace backstitch::engine
