// A disk kept flat in memory, changed at random: what a chain must equal.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "format/repository/point_writer.h"
#include "tests/support/seed.h"

namespace backstitch::test {

class RandomDisk {
 public:
  RandomDisk(std::string name, uint64_t size) : name_(std::move(name)) {
    bytes_.resize(size);
  }

  const std::string& name() const { return name_; }
  const Bytes& bytes() const { return bytes_; }
  uint64_t size() const { return bytes_.size(); }

  // Random writes, zeroes, discards, repeated content, and now and then a new
  // size.
  void change(Random& random) {
    if (random.chance(8)) resize(random);
    for (uint64_t i = random.below(12); i > 0; --i) write(random);
  }

  // Stores the state, as a source with a dirty bitmap would: `base_dirty` are
  // the chunks changed since the base, or everything when the whole disk is
  // read. A bitmap may name more than what changed.
  void store(format::DiskWriter& writer, bool whole,
             const std::set<uint64_t>& dirty) const {
    format::ChunkSifter sifter(writer);
    for (uint64_t chunk = 0; chunk < writer.chunks(); ++chunk) {
      if (!whole && !dirty.contains(chunk)) continue;
      Bytes content(format::kChunkBytes);
      const uint64_t at = chunk * format::kChunkBytes;
      std::copy_n(bytes_.begin() + static_cast<long>(at),
                  std::min(format::kChunkBytes, size() - at), content.begin());
      if (all_zero(content) && chunk % 2 == 0) {
        writer.put_zeroes(chunk, 1);  // as if the extents said zero
      } else {
        writer.put(chunk, sifter.sift(chunk, content));
      }
    }
  }

  // Chunks written since the set was last cleared.
  std::set<uint64_t>& dirty() { return dirty_; }
  bool was_resized() const { return resized_; }
  void forget_resize() { resized_ = false; }

 private:
  void resize(Random& random) {
    const uint64_t unit = random.chance(3) ? 1 : random.chance(2) ? 512 : 4096;
    bytes_.resize(random.below(40 * format::kChunkBytes) / unit * unit);
    resized_ = true;
  }

  void write(Random& random) {
    if (size() == 0) return;
    const uint64_t begin = random.below(size());
    const uint64_t most = random.chance(3) ? 500000 : 5000;
    const uint64_t length = std::min(size() - begin, 1 + random.below(most));
    const auto kind = random.below(4);
    const uint64_t pattern = random.below(3);
    for (uint64_t i = begin; i < begin + length; ++i) {
      bytes_[i] = kind == 0   ? std::byte{0}
                  : kind == 1 ? static_cast<std::byte>(random.bits())
                              : static_cast<std::byte>((i >> 4) * 31 + pattern);
    }
    for (uint64_t chunk = begin / format::kChunkBytes;
         chunk <= (begin + length - 1) / format::kChunkBytes; ++chunk) {
      dirty_.insert(chunk);
    }
    if (random.chance(5)) dirty_.insert(begin / format::kChunkBytes / 2);
  }

  std::string name_;
  Bytes bytes_;
  std::set<uint64_t> dirty_;
  bool resized_ = false;
};

}  // namespace backstitch::test
