#include "src/recovery/screenshot.h"

#include <png.h>

#include <array>
#include <charconv>
#include <string_view>

namespace backstitch::engine {
namespace {

using StreamHandle = LibvirtHandle<virStream, virStreamFree>;

constexpr size_t kLargestImage = 256 << 20;
constexpr unsigned kWidest = 16384;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::kFailed,
              "the screenshot is no image that can be read: " + why);
}

Bytes receive_all(virStreamPtr stream) {
  Bytes image;
  std::array<std::byte, 65536> buffer{};
  while (true) {
    const int got = virStreamRecv(
        stream, reinterpret_cast<char*>(buffer.data()), buffer.size());
    if (got < 0) throw libvirt_failure("receive a screenshot");
    if (got == 0) break;
    image.insert(image.end(), buffer.begin(), buffer.begin() + got);
    if (image.size() > kLargestImage) refuse("it is too large");
  }
  if (virStreamFinish(stream) != 0)
    throw libvirt_failure("receive a screenshot");
  return image;
}

// The three numbers of a PPM's head, and where its pixels begin.
struct PpmHead {
  unsigned width = 0;
  unsigned height = 0;
  unsigned depth = 0;
  size_t begin = 0;
};

PpmHead parse_head(std::string_view text) {
  if (!text.starts_with("P6")) refuse("neither PNG nor PPM");
  PpmHead head;
  head.begin = 2;
  for (unsigned* number : {&head.width, &head.height, &head.depth}) {
    size_t& at = head.begin;
    while (at < text.size() && (text[at] == '#' || text[at] <= ' ')) {
      if (text[at] == '#') at = std::min(text.find('\n', at), text.size() - 1);
      ++at;
    }
    const auto [end, error] =
        std::from_chars(text.data() + at, text.data() + text.size(), *number);
    if (error != std::errc()) refuse("its head is damaged");
    at = static_cast<size_t>(end - text.data());
  }
  ++head.begin;  // one white space
  if (head.depth != 255) refuse("it has not 8 bits a colour");
  if (head.width == 0 || head.width > kWidest || head.height == 0 ||
      head.height > kWidest) {
    refuse("its size makes no sense");
  }
  if (head.begin + size_t{3} * head.width * head.height > text.size())
    refuse("it is cut off");
  return head;
}

}  // namespace

Bytes to_png(Bytes image) {
  const std::string_view text(reinterpret_cast<const char*>(image.data()),
                              image.size());
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return image;
  const PpmHead head = parse_head(text);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = head.width;
  png.height = head.height;
  png.format = PNG_FORMAT_RGB;
  const void* pixels = image.data() + head.begin;
  // Without memory it says how much it needs.
  png_alloc_size_t size = 0;
  Bytes out;
  for (int i = 0; i < 2; ++i) {
    void* const memory = out.empty() ? nullptr : out.data();
    if (png_image_write_to_memory(&png, memory, &size, 0, pixels, 0, nullptr) ==
        0) {
      refuse(png.message);
    }
    out.resize(size);
  }
  return out;
}

Bytes take_screenshot(Guest& guest) {
  const StreamHandle stream(virStreamNew(guest.connection().get(), 0));
  if (!stream) throw libvirt_failure("receive a screenshot");
  take_text(virDomainScreenshot(guest.get(), stream.get(), 0, 0),
            "take a screenshot of " + guest.name());
  return to_png(receive_all(stream.get()));
}

}  // namespace backstitch::engine
