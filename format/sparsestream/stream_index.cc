#include "format/sparsestream/stream_index.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "format/base/error.h"
#include "format/sparsestream/lz4_frame.h"

namespace backstitch::format {
namespace {

using nlohmann::json;

constexpr uint64_t kMostMeta = 1 << 20;
constexpr uint64_t kMostSizes = 256 << 20;

[[noreturn]] void damaged(const StoredFile& file, const std::string& what) {
  throw Error(ErrorKind::kDamaged, file.name() + ": " + what);
}

std::string read_text(const StoredFile& file, uint64_t offset,
                      uint64_t length) {
  std::string text(length, '\0');
  file.read_at(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

// What a header says of a data frame in a compressed stream is its length
// before compression; the lengths as stored are listed behind the last frame:
// one for a frame, or {total: [lengths]} where it was read in several requests.
class StoredSizes {
 public:
  explicit StoredSizes(const StoredFile& file) {
    if (file.size() < kFrameBytes) cut_off(file);
    const uint64_t at = file.size() - kFrameBytes;
    Frame end;
    try {
      end = parse_frame(read_text(file, at, kFrameBytes));
    } catch (const Error&) {
      cut_off(file);
    }
    if (end.kind != FrameKind::kCompression) cut_off(file);
    if (end.length > kMostSizes || end.length + kFrameEnd.size() > at) {
      damaged(file, "the comp frame at offset " + std::to_string(at) +
                        " makes no sense");
    }
    begin_ = at - kFrameEnd.size() - end.length;
    list_ = json::parse(read_text(file, begin_, end.length), nullptr, false);
    if (!list_.is_array()) {
      damaged(file, "the list of compressed sizes at offset " +
                        std::to_string(begin_) + " is damaged");
    }
  }

  // Where the stream's last frame must end.
  uint64_t begin() const { return begin_; }
  bool empty() const { return next_ == list_.size(); }
  // The stored lengths of the next data frame. Empty when it makes no sense.
  std::vector<uint64_t> next() {
    if (empty()) return {};
    const json& entry = list_[next_++];
    if (entry.is_number_unsigned()) return {entry.get<uint64_t>()};
    if (!entry.is_object() || entry.size() != 1) return {};
    return several(entry.begin().key(), entry.begin().value());
  }

 private:
  [[noreturn]] static void cut_off(const StoredFile& file) {
    damaged(file, "is cut off: a compressed stream of " +
                      std::to_string(file.size()) +
                      " bytes that does not end with a comp frame");
  }

  static std::vector<uint64_t> several(const std::string& key,
                                       const json& value) {
    std::vector<uint64_t> sizes;
    uint64_t total = 0;
    const char* const end = key.data() + key.size();
    const auto [rest, code] = std::from_chars(key.data(), end, total);
    if (code != std::errc() || rest != end || !value.is_array()) return {};
    for (const json& size : value) {
      if (!size.is_number_unsigned() || size.get<uint64_t>() > total) return {};
      sizes.push_back(size.get<uint64_t>());
      total -= sizes.back();
    }
    return total == 0 ? sizes : std::vector<uint64_t>{};
  }

  uint64_t begin_ = 0;
  json list_;
  size_t next_ = 0;
};

class Scanner {
 public:
  explicit Scanner(const StoredFile& file) : file_(file) {}

  StreamIndex run() {
    read_first();
    if (index_.meta.compressed) sizes_.emplace(file_);
    while (take_frame()) {
    }
    finish();
    return std::move(index_);
  }

  StreamMeta meta() {
    read_first();
    return index_.meta;
  }

 private:
  [[noreturn]] void bad_frame(const std::string& why) const {
    damaged(file_, "the frame at offset " + std::to_string(frame_at_) +
                       " (frame " + std::to_string(frames_) + ") " + why);
  }

  uint64_t limit() const { return !sizes_ ? file_.size() : sizes_->begin(); }

  Frame read_frame() {
    frame_at_ = at_;
    if (limit() - at_ < kFrameBytes)
      bad_frame("is cut off: the file ends at " + std::to_string(file_.size()));
    const std::string text = read_text(file_, at_, kFrameBytes);
    at_ += kFrameBytes;
    try {
      return parse_frame(text);
    } catch (const Error& error) {
      bad_frame(error.what());
    }
  }

  // A payload of which only the end is looked at.
  void skip_payload(uint64_t length) {
    const uint64_t left = limit() - at_;
    if (length > left || left - length < kFrameEnd.size()) {
      bad_frame("is cut off: it has " + std::to_string(length) +
                " bytes, and the file ends at " + std::to_string(file_.size()));
    }
    at_ += length;
    if (read_text(file_, at_, kFrameEnd.size()) != kFrameEnd)
      bad_frame("does not end where its length says");
    at_ += kFrameEnd.size();
  }

  void read_first() {
    const Frame first = read_frame();
    if (first.kind != FrameKind::kMeta)
      bad_frame("is not the metadata, with which a stream begins");
    if (first.length > kMostMeta) bad_frame("has too much metadata");
    const uint64_t begin = at_;
    skip_payload(first.length);
    try {
      index_.meta = parse_meta(read_text(file_, begin, first.length));
    } catch (const Error& error) {
      throw add_context(error, file_.name());
    }
  }

  // Whether there are more.
  bool take_frame() {
    ++frames_;
    const Frame frame = read_frame();
    switch (frame.kind) {
      case FrameKind::kStop:
        return false;
      case FrameKind::kZero:
        check_range(frame);
        index_.pieces.push_back({frame.start, frame.length, 0, 0});
        return true;
      case FrameKind::kData:
        check_range(frame);
        data_bytes_ += frame.length;
        if (!sizes_) {
          index_.pieces.push_back(
              {frame.start, frame.length, at_, frame.length});
          skip_payload(frame.length);
        } else {
          take_compressed(frame);
        }
        return true;
      case FrameKind::kMeta:
      case FrameKind::kCompression:
        break;
    }
    bad_frame("is a " + to_string(frame.kind) + " frame, out of its place");
  }

  void check_range(const Frame& frame) {
    const uint64_t size = index_.meta.virtual_size;
    if (frame.length == 0 || frame.start > size ||
        frame.length > size - frame.start) {
      bad_frame("is about bytes that the disk does not have");
    }
    if (frame.start < covered_)
      bad_frame("is about bytes that a frame before it was about");
    covered_ = frame.start + frame.length;
  }

  void take_compressed(const Frame& frame) {
    const std::vector<uint64_t> stored = sizes_->next();
    if (stored.empty()) bad_frame("has no place in the list of sizes");
    uint64_t begin = frame.start;
    uint64_t at = at_;
    uint64_t left = frame.length;
    uint64_t total = 0;
    for (const uint64_t size : stored) total += size;
    skip_payload(total);
    for (const uint64_t size : stored) {
      const uint64_t length =
          stored.size() == 1 ? left : content_size(at, size);
      if (length > left || length == 0)
        bad_frame("holds more bytes than its header says");
      index_.pieces.push_back({begin, length, at, size});
      begin += length;
      left -= length;
      at += size;
    }
    if (left != 0) bad_frame("holds fewer bytes than its header says");
  }

  uint64_t content_size(uint64_t at, uint64_t stored) const {
    try {
      return read_lz4_header(file_, at, stored).content_size;
    } catch (const Error& error) {
      bad_frame(error.what());
    }
  }

  void finish() {
    if (sizes_ && !sizes_->empty())
      bad_frame("is the last, and the list of sizes names more");
    if (at_ != limit())
      bad_frame("is the last, and the file goes on behind it");
    if (data_bytes_ != index_.meta.data_size) {
      damaged(file_, "has " + std::to_string(data_bytes_) +
                         " bytes of data, and the metadata says " +
                         std::to_string(index_.meta.data_size));
    }
  }

  const StoredFile& file_;
  StreamIndex index_;
  std::optional<StoredSizes> sizes_;  // of a compressed stream
  uint64_t at_ = 0;
  uint64_t frame_at_ = 0;
  uint64_t frames_ = 0;
  uint64_t covered_ = 0;
  uint64_t data_bytes_ = 0;
};

}  // namespace

StreamMeta read_meta(const StoredFile& file) { return Scanner(file).meta(); }

void check_complete(const StoredFile& file, const StreamMeta& meta) {
  const auto expected =
      meta.compressed ? FrameKind::kCompression : FrameKind::kStop;
  if (file.size() >= kFrameBytes) {
    try {
      const uint64_t at = file.size() - kFrameBytes;
      if (parse_frame(read_text(file, at, kFrameBytes)).kind == expected)
        return;
    } catch (const Error&) {
      // said below
    }
  }
  damaged(file, "is cut off: its " + std::to_string(file.size()) +
                    " bytes do not end with a " + to_string(expected) +
                    " frame");
}

StreamIndex scan_stream(const StoredFile& file) { return Scanner(file).run(); }

}  // namespace backstitch::format
