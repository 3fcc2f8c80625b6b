// What differs between two disks of an archive.
#pragma once

#include <functional>

#include "src/archive/image_source.h"

namespace backstitch::engine {

// As format::diff, by comparing bytes: of what the two do not have in common.
void diff_images(
    const ImageSource::Image& a, const ImageSource::Image& b,
    const std::function<void(uint64_t first, uint64_t count)>& differs);

}  // namespace backstitch::engine
