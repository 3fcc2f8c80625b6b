// What qemu-img knows of an image, and its persistent dirty bitmaps.
//
// Paths are made absolute and are always given with a format, so that nothing
// in a name (a leading dash, "json:", a colon, a comma) has a meaning to QEMU.
// Failures are Errors with qemu-img's own words; kUnsupported when it is
// missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace backstitch::engine {

// The Debian package that has qemu-img and qemu-nbd.
inline constexpr char kQemuPackage[] = "qemu-utils";

struct ImageBitmap {
  std::string name;
  bool in_use = false;   // not closed cleanly: its content is worth nothing
  bool enabled = false;  // records writes
};

// How a qcow2 image is made. Empty, 0 and false: as qemu-img likes.
struct Qcow2Options {
  std::string compat;  // "0.10" (version 2), "1.1" (version 3)
  uint64_t cluster_bytes = 0;
  uint64_t refcount_bits = 0;
  bool lazy_refcounts = false;
  bool extended_l2 = false;
  std::string compression_type;  // "zlib", "zstd"
  std::filesystem::path
      data_file;               // where the guest's bytes are; empty: inside
  bool data_file_raw = false;  // which can be read without the image
};

struct ImageInfo {
  std::filesystem::path path;  // absolute
  std::string inode;           // of a file; empty: not known
  std::string format;
  uint64_t size_bytes = 0;  // as the guest sees it
  // Of a qcow2 image, "unknown" where it cannot be looked at.
  std::string compat;
  uint64_t cluster_bytes = 0;
  uint64_t refcount_bits = 0;
  bool lazy_refcounts = false;
  bool extended_l2 = false;
  std::string compression_type;
  bool encrypted = false;
  std::string backing_file;
  std::string data_file;
  bool data_file_raw = false;
  std::vector<ImageBitmap> bitmaps;

  const ImageBitmap* bitmap(const std::string& name) const;
};

// The inode of a file here, as a manifest records it; empty for all else.
std::string inode_of(const std::string& path);

// `format` empty: found out from the content.
ImageInfo examine_image(const std::filesystem::path& path,
                        const std::string& format);
// The same of an image and its backing files, the image first.
std::vector<ImageInfo> examine_chain(const ImageInfo& image);
// The same from qemu-img's JSON. Throws kFailed on what is no such document.
ImageInfo parse_image_info(const std::string& text);

// Replaces the file, and the data file where there is one, by an empty image.
void create_qcow2(const std::filesystem::path& path, uint64_t size_bytes,
                  const Qcow2Options& options = {});
// Lets the image find its data file at another place from now on; the file is
// moved by the caller, afterwards.
void name_data_file(const std::filesystem::path& image,
                    const std::filesystem::path& data_file);

// A new qcow2 over a backing file, of its size.
void create_overlay(const std::filesystem::path& path,
                    const std::filesystem::path& backing,
                    const std::string& backing_format);

// A persistent, enabled bitmap of 64 KiB granularity.
void add_bitmap(const ImageInfo& image, const std::string& bitmap);
void remove_bitmap(const ImageInfo& image, const std::string& bitmap);

// "7.2.22 (Debian …)".
std::string qemu_version();

}  // namespace backstitch::engine
