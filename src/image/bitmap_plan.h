// Which dirty bitmaps of an image count, and which are to go.
//
// A point's checkpoint is called
//   backstitch-<first 8 hex digits of the repository's id>-<name>-<point as 6
//   digits>-<first 4 hex digits of the point's id>
// and its bitmap in each image has the disk's name after that: an image that is
// given under another disk's name finds no bitmap of its own and is read whole.
// The bitmaps of libvirt's domains are called as the checkpoint alone, as
// libvirt wants it, whether the machine runs or not; for those the manifest
// says which file the disk was. Bitmaps that begin otherwise are other
// repositories' or other tools', and are never touched.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "format/repository/point_writer.h"
#include "src/image/qemu_img.h"

namespace backstitch::engine {

// What all checkpoints of a machine in a repository begin with. Of the name,
// characters that libvirt takes in no checkpoint's become '_'.
std::string checkpoint_prefix(const std::string& repository_id,
                              const std::string& name);
std::string checkpoint_name(const std::string& repository_id,
                            const format::Manifest& manifest);
// Whether it is one that checkpoint_name() makes under this prefix.
bool is_our_checkpoint(const std::string& name, const std::string& prefix);

// What the bitmaps of a machine are called.
struct BitmapNames {
  bool with_disk = true;  // false: libvirt's

  std::string of(const std::string& checkpoint, const std::string& disk) const;
  bool ours(const std::string& bitmap, const std::string& prefix) const;
};

// Checkpoints that a later point can build on: that of the newest point of the
// chain and that of its full.
std::vector<std::string> useful_checkpoints(const format::Domain& domain);

// How to learn what changed on a disk.
struct ReadPlan {
  std::string bitmap;  // to read through; empty: the whole disk
  std::string reason;  // why whole, in words
};

// Why all of the disk must be read, whatever bitmaps there are; empty when
// nothing speaks against one. `level` and `base` are of the point being made;
// `base` is null where there is nothing to build on.
std::string why_whole(const ImageInfo& image, const std::string& disk,
                      format::Level level, const format::Manifest* base);

// The same with the bitmaps that are in the image.
ReadPlan plan_read(const ImageInfo& image, const std::string& disk,
                   format::Level level, const format::Manifest* base,
                   const BitmapNames& names);

// Why a bitmap without a disk's name in it cannot be about the image that the
// disk was at the base; empty when it can. `chain` is the image's path and
// those of its backing files; `inode_of` gives a file's inode, or nothing.
std::string why_other_image(
    const format::DiskManifest& before, uint32_t point,
    const std::vector<std::string>& chain,
    const std::function<std::string(const std::string&)>& inode_of);

// Notes in the manifest what the image is.
void describe_source(const ImageInfo& image, format::DiskManifest& disk);
// How a qcow2 image was made, of what the manifest has: points of older
// versions know less.
Qcow2Options qcow2_options_of(const format::DiskManifest& disk);

// Why an image of this kind cannot hold a dirty bitmap, in words; empty when it
// can. The second is for who must write it there.
std::string why_no_bitmap(const ImageInfo& image);
std::string why_not_writable(const ImageInfo& image);

// Our bitmaps on `image` that are not of `keep` (checkpoints), or not usable.
std::vector<std::string> obsolete_bitmaps(const ImageInfo& image,
                                          const std::string& disk,
                                          const std::string& prefix,
                                          const std::vector<std::string>& keep,
                                          const BitmapNames& names);

}  // namespace backstitch::engine
