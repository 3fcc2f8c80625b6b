// Sizes as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace backstitch {

// "0 B", "512 B", "64.0 KiB", "1.52 GiB": binary units, three digits.
std::string format_bytes(uint64_t bytes);

// "1.00-1.01 GiB": a half-open byte range, in the unit of its end.
std::string format_range(uint64_t begin, uint64_t end);

// "1500", "64K", "10M", "1.5G", "2TiB": a count of bytes with an optional
// binary suffix; throws kUsage with `what` in the message on anything else.
uint64_t parse_bytes(const std::string& text, const std::string& what);

}  // namespace backstitch
