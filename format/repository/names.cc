#include "format/repository/names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

constexpr size_t kMostDomainBytes = 200;
constexpr size_t kMostDiskBytes = 63;
constexpr size_t kMostSideFileBytes = 100;

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// Length of the well-formed UTF-8 sequence at `at`, 0 when there is none
// (Unicode 15, table 3-7: the second byte keeps out overlong forms, surrogates
// and what is above U+10FFFF).
size_t sequence_length(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = byte(at);
  const size_t length = lead < 0x80                    ? 1
                        : lead >= 0xc2 && lead <= 0xdf ? 2
                        : lead >= 0xe0 && lead <= 0xef ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(at + 1);
  const bool bad_second =
      (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return bad_second ? 0 : length;
}

bool is_utf8(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequence_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

[[noreturn]] void refuse(const char* what, const std::string& name,
                         const std::string& why) {
  const std::string shown =
      name.size() > 60 ? name.substr(0, 57) + "..." : name;
  throw Error(ErrorKind::kUsage,
              std::string(what) + " name \"" + printable(shown) + "\": " + why);
}

void check_length(const char* what, const std::string& name, size_t most) {
  if (name.empty()) refuse(what, name, "is empty");
  if (name.size() > most) {
    refuse(what, name,
           "has " + std::to_string(name.size()) + " bytes; at most " +
               std::to_string(most) + " are possible");
  }
}

}  // namespace

void check_domain_name(const std::string& name) {
  check_length("domain", name, kMostDomainBytes);
  if (name[0] == '.') refuse("domain", name, "begins with a dot");
  if (name.find('/') != std::string::npos)
    refuse("domain", name, "contains a slash");
  if (std::ranges::any_of(name, is_control))
    refuse("domain", name, "contains a control character");
  if (!is_utf8(name)) refuse("domain", name, "is not UTF-8");
  if (name == "repository.json" || name == "lost+found")
    refuse("domain", name, "is a name that the repository uses itself");
}

void check_disk_name(const std::string& name) {
  check_length("disk", name, kMostDiskBytes);
  if (!std::ranges::all_of(name, is_word))
    refuse("disk", name, "only A-Z a-z 0-9 _ - are possible");
}

void check_side_file_name(const std::string& name) {
  check_length("file", name, kMostSideFileBytes);
  const auto allowed = [](char c) { return is_word(c) || c == '.'; };
  if (name[0] == '.' || !std::ranges::all_of(name, allowed))
    refuse("file", name, "only A-Z a-z 0-9 _ - . are possible");
  if (name == "point.json" || name == "deleted.json" ||
      name == "remains.json" || name.ends_with(".map") ||
      name.ends_with(".data") || name.ends_with(".raw")) {
    refuse("file", name, "is a name that the repository uses itself");
  }
}

std::string point_name(uint32_t number) {
  std::array<char, 16> text{};
  const int length = std::snprintf(text.data(), text.size(), "%06u", number);
  return std::string(text.data(), static_cast<size_t>(length));
}

uint32_t point_number(const std::string& name) {
  uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, code] = std::from_chars(name.data(), end, number);
  if (code != std::errc() || rest != end) return 0;
  // What point_name() makes, without making it: this runs for every entry of
  // directories of a thousand points.
  const bool padded = name.size() == 6 || (name.size() > 6 && name[0] != '0');
  return padded ? number : 0;
}

std::string printable(const std::string& name) {
  std::string shown;
  for (size_t at = 0; at < name.size();) {
    const size_t length = sequence_length(name, at);
    if (length == 0 || is_control(static_cast<unsigned char>(name[at]))) {
      std::array<char, 8> escape{};
      std::snprintf(
          escape.data(), escape.size(), "\\x%02x",
          static_cast<unsigned>(static_cast<unsigned char>(name[at])));
      shown += escape.data();
      ++at;
    } else {
      shown.append(name, at, length);
      at += length;
    }
  }
  return shown;
}

}  // namespace backstitch::format
