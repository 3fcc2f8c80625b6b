#include "tests/support/scripted_disk.h"

#include <algorithm>

namespace backstitch::test {

using namespace format;  // NOLINT(google-build-using-namespace)

void ScriptedDisk::resize(uint64_t size_bytes) {
  const uint64_t kept = std::min(size_bytes, size_bytes_);
  size_bytes_ = size_bytes;
  bytes_.resize(chunk_count(size_bytes) * kChunkBytes);
  std::fill(bytes_.begin() + static_cast<ptrdiff_t>(kept), bytes_.end(),
            std::byte{0});
  if (kept % kChunkBytes != 0) dirty_.insert(kept / kChunkBytes);
  std::erase_if(dirty_,
                [&](uint64_t n) { return n >= chunk_count(size_bytes); });
}

void ScriptedDisk::write(uint64_t offset, ByteView content) {
  if (offset >= size_bytes_ || content.empty()) return;
  content = content.first(std::min(content.size(), size_bytes_ - offset));
  std::ranges::copy(content, bytes_.begin() + static_cast<ptrdiff_t>(offset));
  const uint64_t last = (offset + content.size() - 1) / kChunkBytes;
  for (uint64_t n = offset / kChunkBytes; n <= last; ++n) dirty_.insert(n);
}

void ScriptedDisk::zero(uint64_t offset, uint64_t length) {
  write(offset, Bytes(length));
}

ByteView ScriptedDisk::chunk(uint64_t number) const {
  return ByteView(bytes_).subspan(number * kChunkBytes, kChunkBytes);
}

namespace {

void put_chunk(DiskWriter& writer, ChunkSifter& sifter,
               const ScriptedDisk& disk, uint64_t number) {
  writer.put(number, sifter.sift(number, disk.chunk(number)));
}

void put_disk(DiskWriter& writer, ScriptedDisk& disk, bool whole) {
  ChunkSifter sifter(writer);
  if (whole) {
    for (uint64_t n = 0; n < chunk_count(disk.size()); ++n)
      put_chunk(writer, sifter, disk, n);
  } else {
    for (const uint64_t n : disk.dirty()) put_chunk(writer, sifter, disk, n);
  }
  writer.manifest().read = whole ? "whole" : "bitmap";
  writer.manifest().reason = whole ? "there is no bitmap" : "";
}

}  // namespace

uint32_t make_point(const Repository& repository, const Domain& domain,
                    ScriptedDisks& disks, const PointOptions& options) {
  const PointPlan plan = plan_point(domain, options.level);
  PointWriter writer(repository, domain, plan, options.compression,
                     std::make_shared<Caches>());
  if (options.id) writer.manifest().id = *options.id;
  writer.manifest().time = options.time;
  writer.manifest().consistency = "offline";
  writer.manifest().tools = {{"backstitch", "test"}};
  for (auto& [name, disk] : disks) {
    const bool whole = options.whole || plan.base(name) == nullptr ||
                       plan.level == Level::kDifferential;
    put_disk(writer.add_disk(name, disk.size()), disk, whole);
  }
  writer.add_file("domain.xml",
                  "<domain><name>" + domain.name() + "</name></domain>\n");
  writer.commit();
  if (plan.level == Level::kCopy) return writer.number();
  for (auto& [name, disk] : disks) disk.clean();
  return writer.number();
}

Bytes read_disk(const Point& point, const std::string& disk) {
  const auto image = point.image(disk, std::make_shared<Caches>());
  Bytes bytes(image->size());
  image->read_at(0, bytes);
  return bytes;
}

Bytes expected_bytes(const ScriptedDisk& disk) {
  Bytes bytes = disk.bytes();
  bytes.resize(disk.size());
  return bytes;
}

}  // namespace backstitch::test
