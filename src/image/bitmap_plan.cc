#include "src/image/bitmap_plan.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"

namespace backstitch::engine {
namespace {

bool all_of_set(std::string_view text, std::string_view set) {
  return text.find_first_not_of(set) == std::string_view::npos;
}

std::string point_words(const format::Manifest& base) {
  return "point " + std::to_string(base.point);
}

std::string why_not_through(const ImageInfo& image, const std::string& name,
                            const format::Manifest& base) {
  const std::string point = point_words(base);
  const ImageBitmap* bitmap = image.bitmap(name);
  if (bitmap == nullptr) return "the image has no bitmap of " + point;
  if (bitmap->in_use) {
    return "the bitmap of " + point +
           " is inconsistent: the image was not closed cleanly";
  }
  if (!bitmap->enabled) return "the bitmap of " + point + " is switched off";
  return {};
}

// libvirt: "no leading '.' and no embedded '/' or newline", and no more than
// these.
bool fits_checkpoint(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
}

// What follows the prefix in a checkpoint's name (and the disk's in a
// bitmap's): six digits or more, '-', four hexadecimal ones. Gives the rest
// after them.
std::optional<std::string_view> after_checkpoint(const std::string& name,
                                                 const std::string& prefix) {
  if (!name.starts_with(prefix)) return {};
  const std::string_view rest = std::string_view(name).substr(prefix.size());
  const size_t digits = rest.find('-');
  if (digits == std::string_view::npos || digits < 6 ||
      !all_of_set(rest.substr(0, digits), "0123456789")) {
    return {};
  }
  const std::string_view id = rest.substr(digits + 1);
  if (id.size() < 4 || !all_of_set(id.substr(0, 4), "0123456789abcdef"))
    return {};
  return id.substr(4);
}

}  // namespace

std::string checkpoint_prefix(const std::string& repository_id,
                              const std::string& name) {
  std::string safe = name;
  for (char& c : safe) c = fits_checkpoint(c) ? c : '_';
  return "backstitch-" + repository_id.substr(0, 8) + "-" + safe + "-";
}

std::string checkpoint_name(const std::string& repository_id,
                            const format::Manifest& manifest) {
  return checkpoint_prefix(repository_id, manifest.domain) +
         format::point_name(manifest.point) + "-" +
         to_hex(ByteView(manifest.id)).substr(0, 4);
}

bool is_our_checkpoint(const std::string& name, const std::string& prefix) {
  const auto rest = after_checkpoint(name, prefix);
  return rest && rest->empty();
}

std::string BitmapNames::of(const std::string& checkpoint,
                            const std::string& disk) const {
  return with_disk ? checkpoint + "-" + disk : checkpoint;
}

bool BitmapNames::ours(const std::string& bitmap,
                       const std::string& prefix) const {
  const auto rest = after_checkpoint(bitmap, prefix);
  return rest &&
         (with_disk ? rest->size() > 1 && rest->front() == '-' : rest->empty());
}

std::vector<std::string> useful_checkpoints(const format::Domain& domain) {
  std::vector<std::string> useful;
  const format::PointPlan next = format::plan_point(domain, std::nullopt);
  if (next.bases.empty()) return useful;
  useful.push_back(next.bases.front().point.manifest().checkpoint);
  if (next.chain == next.parent) return useful;
  try {
    useful.push_back(domain.open_point(next.chain).manifest().checkpoint);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;  // the full was deleted
  }
  return useful;
}

std::string why_no_bitmap(const ImageInfo& image) {
  if (image.format != "qcow2")
    return image.format + " images hold no dirty bitmaps";
  if (image.compat == "0.10")
    return "qcow2 images of version 2 hold no dirty bitmaps";
  return {};
}

std::string why_not_writable(const ImageInfo& image) {
  if (::access(image.path.c_str(), W_OK) == 0) return {};
  return "the image cannot be written to, so it holds no dirty bitmap";
}

std::string why_whole(const ImageInfo& image, const std::string& disk,
                      format::Level level, const format::Manifest* base) {
  if (level == format::Level::kFull) return "a full backup reads all";
  if (level == format::Level::kCopy) return "a copy reads all";
  if (base == nullptr) return "the disk is new in this chain";
  const std::string reason = why_no_bitmap(image);
  if (!reason.empty()) return reason;
  const format::DiskManifest* before = base->disk(disk);
  if (before != nullptr && before->size_bytes != image.size_bytes) {
    return "the disk was resized from " + format_bytes(before->size_bytes) +
           " to " + format_bytes(image.size_bytes);
  }
  if (base->checkpoint.empty()) return point_words(*base) + " left no bitmap";
  return {};
}

ReadPlan plan_read(const ImageInfo& image, const std::string& disk,
                   format::Level level, const format::Manifest* base,
                   const BitmapNames& names) {
  std::string reason = why_whole(image, disk, level, base);
  if (reason.empty()) reason = why_not_writable(image);
  if (!reason.empty()) return {"", reason};
  const std::string bitmap = names.of(base->checkpoint, disk);
  reason = why_not_through(image, bitmap, *base);
  if (!reason.empty()) return {"", reason};
  return {bitmap, ""};
}

std::string why_other_image(
    const format::DiskManifest& before, uint32_t point,
    const std::vector<std::string>& chain,
    const std::function<std::string(const std::string&)>& inode) {
  const auto known = [&](const char* key) {
    const auto found = before.source.find(key);
    return found == before.source.end() ? std::string() : found->second;
  };
  const std::string path = known("path");
  const std::string at = " at point " + std::to_string(point);
  if (std::ranges::find(chain, path) == chain.end())
    return "its image was " + (path.empty() ? "not a file" : path) + at;
  const std::string then = known("inode");
  const std::string now = inode(path);
  if (!then.empty() && !now.empty() && then != now)
    return path + " was another file" + at;
  return {};
}

void describe_source(const ImageInfo& image, format::DiskManifest& disk) {
  const auto note = [&](const char* key, const std::string& value) {
    if (!value.empty()) disk.source[key] = value;
  };
  note("path", image.path.string());
  note("inode", image.inode);
  note("format", image.format);
  note("compat", image.compat);
  note("backing-file", image.backing_file);
  note("data-file", image.data_file);
  note("data-file-raw", image.data_file_raw ? "yes" : "");
  note("lazy-refcounts", image.lazy_refcounts ? "yes" : "");
  note("extended-l2", image.extended_l2 ? "yes" : "");
  note("compression-type", image.compression_type);
  if (image.cluster_bytes != 0)
    note("cluster-size", std::to_string(image.cluster_bytes));
  if (image.refcount_bits != 0)
    note("refcount-bits", std::to_string(image.refcount_bits));
}

Qcow2Options qcow2_options_of(const format::DiskManifest& disk) {
  const auto known = [&](const char* key) {
    const auto found = disk.source.find(key);
    return found == disk.source.end() ? std::string() : found->second;
  };
  const auto number = [&](const char* key) {
    const std::string text = known(key);
    uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  Qcow2Options options;
  options.compat = known("compat") == "0.10" ? "0.10" : "";
  options.cluster_bytes = number("cluster-size");
  options.refcount_bits = number("refcount-bits");
  options.lazy_refcounts = known("lazy-refcounts") == "yes";
  options.extended_l2 = known("extended-l2") == "yes";
  options.compression_type = known("compression-type") == "zstd" ? "zstd" : "";
  options.data_file = known("data-file");
  options.data_file_raw = known("data-file-raw") == "yes";
  return options;
}

std::vector<std::string> obsolete_bitmaps(const ImageInfo& image,
                                          const std::string& disk,
                                          const std::string& prefix,
                                          const std::vector<std::string>& keep,
                                          const BitmapNames& names) {
  std::vector<std::string> obsolete;
  for (const ImageBitmap& bitmap : image.bitmaps) {
    if (!names.ours(bitmap.name, prefix)) continue;
    const bool kept =
        std::ranges::any_of(keep, [&](const std::string& checkpoint) {
          return bitmap.name == names.of(checkpoint, disk);
        });
    if (!kept || bitmap.in_use) obsolete.push_back(bitmap.name);
  }
  return obsolete;
}

}  // namespace backstitch::engine
