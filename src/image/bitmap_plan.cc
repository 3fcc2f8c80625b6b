#include "src/image/bitmap_plan.h"

#include <unistd.h>

#include <algorithm>

#include "format/base/units.h"
#include "format/repository/names.h"

namespace backstitch::engine {
namespace {

bool all_of_set(std::string_view text, std::string_view set) {
  return text.find_first_not_of(set) == std::string_view::npos;
}

std::string why_not_through(const ImageInfo& image, const std::string& disk,
                            const format::Manifest& base) {
  const std::string point = "point " + std::to_string(base.point);
  const format::DiskManifest* before = base.disk(disk);
  if (before != nullptr && before->size_bytes != image.size_bytes) {
    return "the disk was resized from " + format_bytes(before->size_bytes) +
           " to " + format_bytes(image.size_bytes);
  }
  if (base.checkpoint.empty()) return point + " left no bitmap";
  const ImageBitmap* bitmap = image.bitmap(bitmap_name(base.checkpoint, disk));
  if (bitmap == nullptr) return "the image has no bitmap of " + point;
  if (bitmap->in_use) {
    return "the bitmap of " + point +
           " is inconsistent: the image was not closed cleanly";
  }
  if (!bitmap->enabled) return "the bitmap of " + point + " is switched off";
  return {};
}

}  // namespace

std::string checkpoint_prefix(const std::string& repository_id,
                              const std::string& name) {
  return "backstitch-" + repository_id.substr(0, 8) + "-" + name + "-";
}

std::string checkpoint_name(const std::string& repository_id,
                            const format::Manifest& manifest) {
  return checkpoint_prefix(repository_id, manifest.domain) +
         format::point_name(manifest.point) + "-" +
         to_hex(ByteView(manifest.id)).substr(0, 4);
}

std::string bitmap_name(const std::string& checkpoint,
                        const std::string& disk) {
  return checkpoint + "-" + disk;
}

bool is_our_bitmap(const std::string& bitmap, const std::string& prefix) {
  if (!bitmap.starts_with(prefix)) return false;
  const std::string_view rest = std::string_view(bitmap).substr(prefix.size());
  const size_t digits = rest.find('-');
  if (digits == rest.npos || digits < 6 ||
      !all_of_set(rest.substr(0, digits), "0123456789")) {
    return false;
  }
  const std::string_view id = rest.substr(digits + 1);
  return id.size() > 5 && id[4] == '-' &&
         all_of_set(id.substr(0, 4), "0123456789abcdef");
}

std::string why_no_bitmap(const ImageInfo& image) {
  if (image.format != "qcow2")
    return image.format + " images hold no dirty bitmaps";
  if (image.compat == "0.10")
    return "qcow2 images of version 2 hold no dirty bitmaps";
  if (::access(image.path.c_str(), W_OK) != 0)
    return "the image cannot be written to, so it holds no dirty bitmap";
  return {};
}

ReadPlan plan_read(const ImageInfo& image, const std::string& disk,
                   format::Level level, const format::Manifest* base) {
  if (level == format::Level::kFull) return {"", "a full backup reads all"};
  if (level == format::Level::kCopy) return {"", "a copy reads all"};
  if (base == nullptr) return {"", "the disk is new in this chain"};
  std::string reason = why_no_bitmap(image);
  if (reason.empty()) reason = why_not_through(image, disk, *base);
  if (!reason.empty()) return {"", reason};
  return {bitmap_name(base->checkpoint, disk), ""};
}

std::vector<std::string> obsolete_bitmaps(
    const ImageInfo& image, const std::string& disk, const std::string& prefix,
    const std::vector<std::string>& keep) {
  std::vector<std::string> obsolete;
  for (const ImageBitmap& bitmap : image.bitmaps) {
    if (!is_our_bitmap(bitmap.name, prefix)) continue;
    const bool kept =
        std::ranges::any_of(keep, [&](const std::string& checkpoint) {
          return bitmap.name == bitmap_name(checkpoint, disk);
        });
    if (!kept || bitmap.in_use) obsolete.push_back(bitmap.name);
  }
  return obsolete;
}

}  // namespace backstitch::engine
