// Which dirty bitmaps of an image count, and which are to go.
//
// A point's checkpoint is called
//   backstitch-<first 8 hex digits of the repository's id>-<name>-<point as 6
//   digits>-<first 4 hex digits of the point's id>
// and its bitmap in each image has the disk's name after that: an image that is
// given under another disk's name finds no bitmap of its own and is read whole.
// Bitmaps that begin otherwise are other repositories' or other tools', and are
// never touched.
#pragma once

#include <string>
#include <vector>

#include "format/repository/point_writer.h"
#include "src/image/qemu_img.h"

namespace backstitch::engine {

// What all checkpoints of a machine in a repository begin with.
std::string checkpoint_prefix(const std::string& repository_id,
                              const std::string& name);
std::string checkpoint_name(const std::string& repository_id,
                            const format::Manifest& manifest);
std::string bitmap_name(const std::string& checkpoint, const std::string& disk);
// Whether a bitmap is one that bitmap_name() makes under this prefix.
bool is_our_bitmap(const std::string& bitmap, const std::string& prefix);

// How to learn what changed on a disk.
struct ReadPlan {
  std::string bitmap;  // to read through; empty: the whole disk
  std::string reason;  // why whole, in words
};

// `level` and `base` are of the point being made; `base` is null where there is
// nothing to build on.
ReadPlan plan_read(const ImageInfo& image, const std::string& disk,
                   format::Level level, const format::Manifest* base);

// Why an image cannot hold a dirty bitmap, in words; empty when it can.
std::string why_no_bitmap(const ImageInfo& image);

// Our bitmaps on `image` that are neither in `keep` (checkpoints) nor usable.
std::vector<std::string> obsolete_bitmaps(const ImageInfo& image,
                                          const std::string& disk,
                                          const std::string& prefix,
                                          const std::vector<std::string>& keep);

}  // namespace backstitch::engine
