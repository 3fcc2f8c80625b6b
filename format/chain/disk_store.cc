#include "format/chain/disk_store.h"

#include <fcntl.h>

#include <atomic>

#include "format/base/error.h"
#include "format/chain/codec.h"
#include "format/chain/file_header.h"
#include "format/repository/names.h"

namespace backstitch::format {
namespace {

uint64_t next_store_number() {
  static std::atomic<uint64_t> number{0};
  return ++number;
}

}  // namespace

Caches::Caches(const CacheSizes& sizes)
    : pages_(sizes.page_bytes),
      chunks_(sizes.chunk_bytes),
      files_(sizes.open_files) {}

DiskStore::DiskStore(std::filesystem::path domain, std::string disk,
                     std::shared_ptr<Caches> caches)
    : domain_(std::move(domain)),
      disk_(std::move(disk)),
      caches_(std::move(caches)),
      number_(next_store_number()) {}

std::string DiskStore::name_of(uint32_t point, FileKind kind) const {
  return domain_.filename().string() + "/" + point_name(point) + "/" + disk_ +
         (kind == FileKind::kMap ? ".map" : ".data");
}

std::shared_ptr<const File> DiskStore::file(uint32_t point,
                                            FileKind kind) const {
  // Headers are 4 KiB: no page or chunk has one of these offsets.
  const StoredKey key{number_, point, static_cast<uint64_t>(kind)};
  return caches_->files_.get(key, 1, [&] {
    return std::make_shared<const File>(open_file(point, kind));
  });
}

File DiskStore::open_file(uint32_t point, FileKind kind) const {
  const std::string name = name_of(point, kind);
  try {
    File file = File::open(domain_.parent_path() / name, O_RDONLY);
    std::array<std::byte, kHeaderBytes> bytes;
    file.read_at(0, bytes);
    const FileHeader header = decode_header(bytes);
    if (header.kind != kind || header.point != point || header.disk != disk_)
      throw Error(ErrorKind::kDamaged, "belongs to another point or disk");
    return file;
  } catch (const Error& error) {
    const bool missing = error.kind() == ErrorKind::kNotFound;
    throw Error(missing ? ErrorKind::kDamaged : error.kind(),
                name + ": " + (missing ? "is missing" : error.what()),
                error.system_errno());
  }
}

// What reads a page or chunk has this in common: any failure names the place.
template <typename Read>
void DiskStore::reading(const Ref& ref, Read&& read) const {
  const bool is_page = ref.kind == RefKind::kPage;
  const FileKind kind = is_page ? FileKind::kMap : FileKind::kData;
  const auto from = file(ref.point, kind);
  try {
    read(*from);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kDamaged) throw;
    throw Error(ErrorKind::kDamaged,
                name_of(ref.point, kind) + ": " + (is_page ? "page" : "chunk") +
                    " at offset " + std::to_string(ref.offset) +
                    " is damaged (" + error.what() + ")");
  }
}

Page DiskStore::read_page(const Ref& ref, int level) const {
  Page page;
  reading(ref, [&](const File& file) {
    std::array<std::byte, kPageBytes> bytes;
    file.read_at(ref.offset, bytes);
    if (hash_of(bytes) != ref.hash)
      throw Error(ErrorKind::kDamaged, "hash differs");
    page = decode_page(bytes, level, ref.point);
  });
  return page;
}

void DiskStore::read_stored(const Ref& ref, std::span<std::byte> out) const {
  reading(ref, [&](const File& file) {
    file.read_at(ref.offset, out);
    check_stored(ref, out);
  });
}

std::shared_ptr<const Page> DiskStore::page(const Ref& ref, int level) const {
  const StoredKey key{number_, ref.point, ref.offset | 1};
  auto page = caches_->pages_.get(key, sizeof(Page), [&] {
    return std::make_shared<const Page>(read_page(ref, level));
  });
  return page;
}

void DiskStore::load_chunk(const Ref& ref, std::span<std::byte> out) const {
  reading(ref, [&](const File& file) {
    if (ref.codec == Codec::kStored) {
      file.read_at(ref.offset, out);
    } else {
      thread_local std::array<std::byte, kChunkBytes> buffer;
      const auto stored = std::span(buffer).first(ref.length);
      file.read_at(ref.offset, stored);
      decode_chunk(ref.codec, stored, out);
    }
    if (hash_of(out) != ref.hash)
      throw Error(ErrorKind::kDamaged, "hash differs");
  });
}

std::shared_ptr<const Caches::Chunk> DiskStore::cached_chunk(
    const Ref& ref) const {
  const StoredKey key{number_, ref.point, ref.offset};
  return caches_->chunks_.get(key, kChunkBytes, [&] {
    const auto chunk = std::make_shared_for_overwrite<Caches::Chunk>();
    load_chunk(ref, *chunk);
    return std::shared_ptr<const Caches::Chunk>(chunk);
  });
}

void DiskStore::read_chunk(const Ref& ref, std::span<std::byte> out) const {
  const auto cached =
      caches_->chunks_.peek(StoredKey{number_, ref.point, ref.offset});
  if (cached) {
    std::memcpy(out.data(), cached->data(), out.size());
  } else {
    load_chunk(ref, out);
  }
}

void DiskStore::read_part(const Ref& ref, uint64_t begin,
                          std::span<std::byte> out) const {
  const auto chunk = cached_chunk(ref);
  std::memcpy(out.data(), chunk->data() + begin, out.size());
}

void DiskStore::prefetch(const Ref& ref) const { cached_chunk(ref); }

}  // namespace backstitch::format
