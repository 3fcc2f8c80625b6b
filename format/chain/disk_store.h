// The read side of one disk: its .map and .data files over all points.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "format/base/cache.h"
#include "format/base/file.h"
#include "format/chain/file_header.h"
#include "format/map/page_source.h"

namespace backstitch::format {

// Names a stored page, chunk or file across all disks of a process.
struct StoredKey {
  uint64_t store;  // DiskStore's own number
  uint32_t point;
  uint64_t offset;  // | 1 for pages
  friend bool operator==(const StoredKey&, const StoredKey&) = default;
};
struct StoredKeyHash {
  size_t operator()(const StoredKey& key) const {
    return (key.store * 0x9E3779B97F4A7C15ULL + key.point) *
               0xC2B2AE3D27D4EB4FULL ^
           key.offset >> 1;
  }
};

struct CacheSizes {
  uint64_t page_bytes = 16 << 20;
  uint64_t chunk_bytes = 32 << 20;
  uint64_t open_files = 256;
};

// Decoded pages, decoded chunks and open files of a whole process.
class Caches {
 public:
  explicit Caches(const CacheSizes& sizes = {});

 private:
  friend class DiskStore;
  using Chunk = std::array<std::byte, kChunkBytes>;
  Cache<StoredKey, Page, StoredKeyHash> pages_;
  Cache<StoredKey, Chunk, StoredKeyHash> chunks_;
  Cache<StoredKey, File, StoredKeyHash> files_;
};

// Thread-safe. Files are opened when first needed. Everything read is checked:
// file header once an open, hash at every read from disk. Failures name the
// file as DOMAIN/POINT/FILE and the offset in it.
class DiskStore : public PageSource {
 public:
  // `domain` is the directory of a domain in a repository; `disk` a valid name.
  DiskStore(std::filesystem::path domain, std::string disk,
            std::shared_ptr<Caches> caches);

  const std::string& disk() const { return disk_; }

  // Through the page cache.
  std::shared_ptr<const Page> page(const Ref& ref, int level) const override;
  // The same from the file, for those who check the file itself.
  Page read_page(const Ref& ref, int level) const;

  // The whole decoded chunk, straight into `out` (kChunkBytes); the cache is
  // looked at but not filled. `ref` must be a chunk ref.
  void read_chunk(const Ref& ref, std::span<std::byte> out) const;
  // A part of a chunk, through the chunk cache: decoded once however many ask.
  void read_part(const Ref& ref, uint64_t begin,
                 std::span<std::byte> out) const;
  // The bytes of a page or chunk as they are stored (`out` has ref.length), for
  // those who copy them; they passed all checks that reading them would make.
  void read_stored(const Ref& ref, std::span<std::byte> out) const;
  // Decodes a chunk into the cache.
  void prefetch(const Ref& ref) const;

 private:
  std::string name_of(uint32_t point, FileKind kind) const;
  std::shared_ptr<const File> file(uint32_t point, FileKind kind) const;
  File open_file(uint32_t point, FileKind kind) const;
  template <typename Read>
  void reading(const Ref& ref, Read&& read) const;
  void load_chunk(const Ref& ref, std::span<std::byte> out) const;
  std::shared_ptr<const Caches::Chunk> cached_chunk(const Ref& ref) const;

  const std::filesystem::path domain_;
  const std::string disk_;
  const std::shared_ptr<Caches> caches_;
  const uint64_t number_;
};

}  // namespace backstitch::format
