// Finds out what the images of a machine are, and refuses what makes no sense.
#pragma once

#include <vector>

#include "src/image/image_backup.h"
#include "src/image/qemu_img.h"

namespace backstitch::engine {

// Examines each image in the order given. Throws kUsage on a name or a file
// that is given twice, kNotFound on a missing one, kBusy on one in use,
// kUnsupported on an encrypted one.
//
// A format that is found out from the content is only believed where that is
// safe: the guest owns the content of a raw disk, and could write a header
// there that names any file of the host as its backing file.
std::vector<ImageInfo> probe_images(const std::vector<ImageArgument>& images);

// `before` is the format that an earlier point recorded, empty if none did.
// Throws kUsage when a raw disk seems to have become something else.
void check_format(const ImageArgument& image, const ImageInfo& info,
                  const std::string& before);

}  // namespace backstitch::engine
