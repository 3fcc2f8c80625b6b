#include "src/image/image_probe.h"

#include <sys/stat.h>

#include <cerrno>
#include <set>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/image/image_lock.h"

namespace backstitch::engine {
namespace {

// The device and inode of a file, the number of a block device.
std::string identity(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw system_error(errno, "open the image " + path.string());
  if (S_ISBLK(status.st_mode)) return "b" + std::to_string(status.st_rdev);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kUsage,
                path.string() + " is neither a file nor a block device");
  }
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

Error say_format(const ImageArgument& image, const std::string& why,
                 const std::string& format) {
  return Error(ErrorKind::kUsage, image.path.string() + " " + why +
                                      "; say --format " + image.disk + "=" +
                                      format + " if that is meant");
}

// What the content says is believed for raw and for a qcow2 that stands alone.
void check_guess(const ImageArgument& image, const ImageInfo& info) {
  if (!info.backing_file.empty()) {
    throw say_format(image,
                     "looks like qcow2 with the backing file " +
                         format::printable(info.backing_file),
                     info.format);
  }
  if (!info.data_file.empty()) {
    throw say_format(image,
                     "looks like qcow2 with the data file " +
                         format::printable(info.data_file),
                     info.format);
  }
  if (info.format != "raw" && info.format != "qcow2")
    throw say_format(image, "looks like " + info.format, info.format);
}

ImageInfo probe(const ImageArgument& image) {
  refuse_if_in_use(image.path);
  ImageInfo info = examine_image(image.path, image.format);
  // A guest that encrypts its whole disk: the disk is raw.
  if (image.format.empty() && info.format == "luks")
    info = examine_image(image.path, "raw");
  if (image.format.empty()) check_guess(image, info);
  if (info.encrypted) {
    throw Error(ErrorKind::kUnsupported,
                image.path.string() + ": encrypted images cannot be read");
  }
  return info;
}

}  // namespace

std::vector<ImageInfo> probe_images(const std::vector<ImageArgument>& images) {
  if (images.empty())
    throw Error(ErrorKind::kUsage, "no disk is left to back up");
  std::set<std::string> disks;
  std::set<std::string> files;
  for (const ImageArgument& image : images) {
    format::check_disk_name(image.disk);
    if (!disks.insert(image.disk).second)
      throw Error(ErrorKind::kUsage, "disk " + image.disk + " is given twice");
    if (!files.insert(identity(image.path)).second) {
      throw Error(ErrorKind::kUsage,
                  "the image " + image.path.string() + " is given twice");
    }
  }
  std::vector<ImageInfo> infos;
  infos.reserve(images.size());
  for (const ImageArgument& image : images) infos.push_back(probe(image));
  return infos;
}

void check_format(const ImageArgument& image, const ImageInfo& info,
                  const std::string& before) {
  if (!image.format.empty() || before != "raw" || info.format == "raw") return;
  throw say_format(image,
                   "was raw at the last point and looks like " + info.format +
                       " now: the guest may have written that",
                   info.format);
}

}  // namespace backstitch::engine
