// The pieces of virtnbdbackup's stream format ("sparsestream", versions 1 and
// 2): frame headers and the metadata. Specified in the writer's own
// sparsestream/types.py; man/backstitch-archive.5 says what is read of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace backstitch::format {

inline constexpr uint64_t kFrameBytes = 40;
inline constexpr std::string_view kFrameEnd = "\r\n";

enum class FrameKind { kMeta, kData, kZero, kStop, kCompression };

// "data 0000000000100000 0000000000010000\r\n".
struct Frame {
  FrameKind kind = FrameKind::kMeta;
  uint64_t start = 0;
  uint64_t length = 0;
};

// `text` has kFrameBytes. Throws kDamaged on anything else than a header.
Frame parse_frame(std::string_view text);
std::string to_string(FrameKind kind);
// Whether this is how a stream begins, a few wrong bytes aside: what tells a
// damaged stream from a raw image.
bool resembles_stream(std::string_view beginning);

// The payload of the first frame.
struct StreamMeta {
  uint64_t virtual_size = 0;
  uint64_t data_size = 0;    // bytes in data frames, before compression
  std::string date;          // local time of the writer
  std::string disk;          // "vda"
  std::string disk_format;   // "qcow2"
  std::string checkpoint;    // made with it, or reused
  std::string parent;        // checkpoint that it builds on; may be empty
  bool incremental = false;  // "inc" and "diff"
  bool compressed = false;
  // Written by a version that is older than keys like virtualSize.
  bool old_keys = false;
  uint64_t version = 1;
};

// Throws kDamaged; kUnsupported for a later version or another compression.
StreamMeta parse_meta(std::string_view text);

}  // namespace backstitch::format
