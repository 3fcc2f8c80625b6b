// Copies a disk image to where it is to live.
#pragma once

#include "format/disk_image.h"
#include "src/base/progress.h"
#include "src/recovery/image_target.h"

namespace backstitch::engine {

// In parallel (`threads` 0: as many as serve best), what is data only; the rest
// is skipped. Does not finish the target. The first failure stops all and is
// thrown; so is kInterrupted. Reports the bytes of data to `progress`.
void copy_image(const format::DiskImage& image, ImageTarget& target,
                Progress& progress, unsigned threads = 0);

}  // namespace backstitch::engine
