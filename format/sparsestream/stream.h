// One data file of an archive, open and indexed: a part of a disk.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "format/base/cache.h"
#include "format/base/error.h"
#include "format/base/synchronized.h"
#include "format/sparsestream/cache_directory.h"
#include "format/sparsestream/stream_index.h"

namespace backstitch::format {

// What is decoded at a time, and kept.
inline constexpr uint64_t kSegmentBytes = 2 << 20;

struct SegmentKey {
  uint64_t stream = 0;  // Stream's own number
  uint64_t segment = 0;
  friend bool operator==(const SegmentKey&, const SegmentKey&) = default;
};
struct SegmentKeyHash {
  size_t operator()(const SegmentKey& key) const {
    return key.stream * 0x9E3779B97F4A7C15ULL + key.segment;
  }
};
using SegmentCache = Cache<SegmentKey, Bytes, SegmentKeyHash>;

// Immutable and thread-safe.
class Stream {
 public:
  // Scans the file when no index of it is kept. `is_raw` for a file that is
  // nothing but the disk's bytes. Throws as scan_stream does.
  Stream(const StoredPlace& place, bool is_raw,
         std::shared_ptr<SegmentCache> segments);

  const StoredPlace& place() const { return file_.place(); }
  const std::vector<StreamPiece>& pieces() const { return pieces_; }
  // The first piece that ends behind `offset`; pieces().size() if none does.
  size_t find(uint64_t offset) const;
  // Fills `out` from `offset` in the piece, which must be long enough.
  void read(size_t piece, uint64_t offset, std::span<std::byte> out) const;
  // Decodes all that is compressed and compares the checksums in it; `take`
  // gets the number of stored bytes that were gone over, as they are. Damaged
  // pieces are given to `damaged`, and the rest is still checked.
  using Damaged = std::function<void(const StreamPiece&, const Error&)>;
  void check(const std::function<void(uint64_t)>& take,
             const Damaged& damaged) const;

 private:
  std::shared_ptr<const Bytes> segment(size_t piece, uint64_t number) const;
  Bytes decode(size_t piece, uint64_t number) const;
  void check_piece(const StreamPiece& piece) const;

  const StoredFile file_;
  const std::shared_ptr<SegmentCache> segments_;
  const uint64_t number_;
  bool compressed_ = false;
  std::vector<StreamPiece> pieces_;
  // Of compressed pieces: number of the first segment, over all pieces.
  std::vector<uint64_t> first_segment_;
  std::optional<WindowStore> windows_;
};

// Streams that are open, so that the points of a chain share them. Thread-safe.
class StreamPool {
 public:
  StreamPool();
  std::shared_ptr<const Stream> open(const StoredPlace& place, bool is_raw);

 private:
  const std::shared_ptr<SegmentCache> segments_;
  Synchronized<std::map<std::string, std::weak_ptr<const Stream>>> open_;
};

}  // namespace backstitch::format
