#include "src/report/picture.h"

#include <png.h>

#include <string>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

constexpr unsigned kWidest = 16384;
constexpr unsigned kNarrowest = 80;
constexpr size_t kColours = 3;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::kFailed, "the screenshot cannot be shown: " + why);
}

struct Pixels {
  unsigned width = 0;
  unsigned height = 0;
  Bytes rgb;
};

Pixels decode(const Bytes& png) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, png.data(), png.size()) == 0)
    refuse(image.message);
  Pixels pixels{image.width, image.height, {}};
  if (image.width > kWidest || image.height > kWidest) {
    png_image_free(&image);
    refuse("its size makes no sense");
  }
  image.format = PNG_FORMAT_RGB;
  pixels.rgb.resize(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, pixels.rgb.data(), 0, nullptr) ==
      0) {
    refuse(image.message);
  }
  return pixels;
}

Bytes encode(const Pixels& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = pixels.width;
  image.height = pixels.height;
  image.format = PNG_FORMAT_RGB;
  // Without memory it says how much it needs.
  png_alloc_size_t size = 0;
  Bytes png;
  for (int i = 0; i < 2; ++i) {
    void* const memory = png.empty() ? nullptr : png.data();
    if (png_image_write_to_memory(&image, memory, &size, 0, pixels.rgb.data(),
                                  0, nullptr) == 0) {
      refuse(image.message);
    }
    png.resize(size);
  }
  return png;
}

// Each pixel is the mean of four.
Pixels halved(const Pixels& from) {
  Pixels to{from.width / 2, from.height / 2, {}};
  to.rgb.resize(kColours * to.width * to.height);
  const auto at = [&](size_t x, size_t y, size_t colour) {
    return std::to_integer<unsigned>(
        from.rgb[kColours * (y * from.width + x) + colour]);
  };
  size_t out = 0;
  for (size_t y = 0; y < to.height; ++y) {
    for (size_t x = 0; x < to.width; ++x) {
      for (size_t c = 0; c < kColours; ++c) {
        const unsigned sum = at(2 * x, 2 * y, c) + at(2 * x + 1, 2 * y, c) +
                             at(2 * x, 2 * y + 1, c) +
                             at(2 * x + 1, 2 * y + 1, c);
        to.rgb[out++] = static_cast<std::byte>(sum / 4);
      }
    }
  }
  return to;
}

}  // namespace

Picture small_picture(const Bytes& png, size_t limit) {
  Pixels pixels = decode(png);
  Bytes small = png;
  while (small.size() > limit) {
    // A quarter of the pixels takes a quarter of the bytes, or so: what will be
    // too large is not encoded.
    for (size_t size = small.size(); size > limit; size /= 4) {
      if (pixels.width < 2 * kNarrowest || pixels.height < 2)
        refuse("it takes too much of the page");
      pixels = halved(pixels);
    }
    small = encode(pixels);
  }
  return {std::move(small), pixels.width, pixels.height};
}

}  // namespace backstitch::engine
