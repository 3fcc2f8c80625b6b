// The manifest of a point: the commit record `point.json`.
// Specified in man/backstitch-format.5, MANIFEST.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/chain/file_header.h"
#include "format/map/map_reader.h"

namespace backstitch::format {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

enum class Level { kFull, kIncremental, kDifferential, kCopy };
std::string to_string(Level level);

struct DiskManifest {
  std::string name;
  uint64_t size_bytes = 0;
  Ref root;
  uint64_t data_chunks = 0;  // chunks that are not zero
  uint64_t map_length = 0;   // of this point's files, header included
  uint64_t data_length = 0;
  // How it was read: "whole", or "bitmap" (only what a dirty bitmap named).
  std::string read = "whole";
  std::string reason;           // why whole, in words; empty for a bitmap
  uint64_t read_bytes = 0;      // asked of the source
  uint64_t changed_chunks = 0;  // newly stored
  uint64_t zeroed_chunks = 0;   // that became zero
  // What else is known of the source (path, format, qcow2 options).
  std::map<std::string, std::string> source;

  MapRoot map() const { return {root, chunk_count(size_bytes)}; }
};

struct SideFile {
  std::string name;
  uint64_t size_bytes = 0;
  Hash128 hash;
};

struct Manifest {
  std::string repository;  // id of the repository that it was made in
  std::string domain;      // name at the time
  uint32_t point = 0;
  PointId id{};
  Level level = Level::kFull;
  uint32_t parent = 0;  // point that it was built on; 0 for full and copy
  uint32_t chain = 0;   // number of the full that began the chain
  Time time{};          // of the state that it holds, UTC
  uint64_t duration_ms = 0;
  std::string consistency;  // "agent-frozen", "crash", "paused", "offline"
  std::string checkpoint;   // checkpoint or bitmap name; empty for a copy
  std::string checkpoint_xml;
  std::string compression;
  std::map<std::string, std::string> tools;  // name to version
  std::vector<DiskManifest> disks;
  std::vector<SideFile> files;

  // The disk's part, or nullptr.
  const DiskManifest* disk(const std::string& name) const;
  // Bytes of its disks that this point added to the repository.
  uint64_t stored_bytes() const;
};

// The bytes of the file, hash included.
std::string serialize(const Manifest& manifest);
// Throws kDamaged on anything that serialize does not make, kUnsupported on
// a newer format version or unknown incompatible flags.
Manifest parse_manifest(const std::string& text);

// "2026-11-23T01:02:03.456Z".
std::string format_time(Time time);
Time parse_time(const std::string& text);
Time now();

}  // namespace backstitch::format
