#include "format/base/units.h"

#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "format/base/error.h"

namespace backstitch {
namespace {

constexpr std::array<const char*, 7> kUnits = {"B",   "KiB", "MiB", "GiB",
                                               "TiB", "PiB", "EiB"};

size_t unit_of(uint64_t bytes) {
  size_t unit = 0;
  for (; bytes >= 1024; bytes /= 1024) ++unit;
  return unit;
}

std::string print(double value, int decimals) {
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return std::string(text.data(), static_cast<size_t>(length));
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  const size_t unit = unit_of(bytes);
  if (unit == 0) return std::to_string(bytes) + " B";
  const double value =
      std::ldexp(static_cast<double>(bytes), -10 * static_cast<int>(unit));
  const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
  return print(value, decimals) + " " + kUnits[unit];
}

std::string format_range(uint64_t begin, uint64_t end) {
  const size_t unit = unit_of(end);
  const int shift = -10 * static_cast<int>(unit);
  const int decimals = unit == 0 ? 0 : 2;
  return print(std::ldexp(static_cast<double>(begin), shift), decimals) + "-" +
         print(std::ldexp(static_cast<double>(end), shift), decimals) + " " +
         kUnits[unit];
}

uint64_t parse_bytes(const std::string& text, const std::string& what) {
  const Error error(ErrorKind::kUsage,
                    what + ": \"" + text + "\" is not a size (e.g. 64K, 1.5G)");
  char* rest = nullptr;
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) == 0)
    throw error;
  const double value = std::strtod(text.c_str(), &rest);
  std::string_view suffix(rest);
  int shift = 0;
  if (!suffix.empty()) {
    constexpr std::string_view kPrefixes = "BKMGTPE";
    const size_t unit = kPrefixes.find(
        static_cast<char>(std::toupper(static_cast<unsigned char>(suffix[0]))));
    if (unit == std::string_view::npos) throw error;
    shift = 10 * static_cast<int>(unit);
    suffix.remove_prefix(1);
    if (!suffix.empty() && (unit == 0 || (suffix != "iB" && suffix != "B")))
      throw error;
  }
  const double bytes = std::ldexp(value, shift);
  if (!(bytes < std::ldexp(1.0, 63))) throw error;
  return static_cast<uint64_t>(bytes);
}

}  // namespace backstitch
