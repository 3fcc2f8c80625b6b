#include "src/recovery/screenshot.h"

#include <gtest/gtest.h>
#include <png.h>

#include "tests/support/expect_error.h"

namespace backstitch::engine {
namespace {

using backstitch::test::expect_error;

Bytes bytes_of(const std::string& text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

// Its pixels, three bytes each, as libpng reads them.
std::string pixels_of(const Bytes& png) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&image, png.data(), png.size()),
            0);
  image.format = PNG_FORMAT_RGB;
  std::string pixels(size_t{3} * image.width * image.height, '\0');
  EXPECT_NE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr),
            0);
  return pixels;
}

TEST(Screenshot, OfOldQemuBecomesPng) {
  const std::string pixels = "abcdefghijklmnopqr";
  EXPECT_EQ(pixels_of(to_png(bytes_of("P6\n3 2\n255\n" + pixels))), pixels);
  EXPECT_EQ(pixels_of(to_png(bytes_of("P6 # a word\n 3\t2 255 " + pixels))),
            pixels);
}

TEST(Screenshot, OfNewQemuStaysAsItIs) {
  const Bytes png = to_png(bytes_of("P6\n1 1\n255\nabc"));
  EXPECT_EQ(to_png(png), png);
}

TEST(Screenshot, ThatIsDamagedIsRefused) {
  for (const char* image :
       {"", "P6", "P5\n1 1\n255\na", "P6\n3 2\n255\nshort", "P6\n0 1\n255\n",
        "P6\n99999 1\n255\n", "P6\n1 1\n65535\nabcdef", "P6\n#",
        "P6\n-1 1\n255\n", "P6\n99999999999999999999 1\n255\n"}) {
    expect_error(ErrorKind::kFailed, "no image that can be read",
                 [&] { to_png(bytes_of(image)); });
  }
}

}  // namespace
}  // namespace backstitch::engine
