// Which files of an archive make up which point, and which point builds on
// which: by the names of checkpoints in the metadata, never by times of files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/repository/manifest.h"
#include "format/sparsestream/archive_files.h"

namespace backstitch::format {

struct ArchivePoint {
  uint32_t number = 0;
  Level level = Level::kFull;
  std::string checkpoint;
  std::string parent;  // checkpoint that it builds on
  std::string ident;   // as other files of the same run carry it
  std::string date;    // in the writer's local time; may be empty
  std::vector<DataFilePointer> files;  // one a disk, by disk
  // What it builds on; null for a full and a copy, and when that is missing.
  std::shared_ptr<const ArchivePoint> base;
  std::optional<Error> error;  // why it cannot be used

  // The file with that disk, or null.
  const DataFile* file(const std::string& disk) const;
};
using ArchivePointPointer = std::shared_ptr<const ArchivePoint>;

// In the order of the chain, numbered from 1. Files of unfinished runs make no
// point, but spoil one that has finished files too.
std::vector<ArchivePointPointer> find_points(const ArchiveFiles& files);

// The files that hold the disk as it was at the point, the newest first. Throws
// kDamaged when one of them is missing or cannot be used.
std::vector<DataFilePointer> layers_of(const ArchivePointPointer& point,
                                       const std::string& disk);

}  // namespace backstitch::format
