// A disk as a plain vector of chunks, and points made of such disks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "format/repository/point_writer.h"
#include "format/repository/writer_lock.h"

namespace backstitch::test {

// What a disk must hold; knows which chunks changed since the last point.
class ScriptedDisk {
 public:
  explicit ScriptedDisk(uint64_t size_bytes) { resize(size_bytes); }

  uint64_t size() const { return size_bytes_; }
  const Bytes& bytes() const { return bytes_; }  // whole chunks
  const std::set<uint64_t>& dirty() const { return dirty_; }
  void clean() { dirty_.clear(); }

  void resize(uint64_t size_bytes);
  // `content` is cut at the end of the disk.
  void write(uint64_t offset, ByteView content);
  void zero(uint64_t offset, uint64_t length);
  ByteView chunk(uint64_t number) const;

 private:
  uint64_t size_bytes_ = 0;
  Bytes bytes_;
  std::set<uint64_t> dirty_;
};

using ScriptedDisks = std::map<std::string, ScriptedDisk>;

// How make_point works; the defaults are an automatic level.
struct PointOptions {
  std::optional<format::Level> level;
  format::Compression compression;
  // Puts every chunk, not only the dirty ones, as a backup without a bitmap.
  bool whole = false;
  // For repositories that must come out the same in every run.
  std::optional<format::PointId> id;
  format::Time time = format::now();
};

// Writes `disks` as the next point of the domain, with a domain.xml, and, but
// for a copy, marks them clean. The caller holds the domain's lock. Gives the
// point's number.
uint32_t make_point(const format::Repository& repository,
                    const format::Domain& domain, ScriptedDisks& disks,
                    const PointOptions& options = {});

// All bytes of a disk of a point, read through its image.
Bytes read_disk(const format::Point& point, const std::string& disk);
// Those that `disk` should have: without the padding of the last chunk.
Bytes expected_bytes(const ScriptedDisk& disk);

}  // namespace backstitch::test
