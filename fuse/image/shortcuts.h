// What some images do faster, or at all, beside the plain read interface.
// Images without the shortcut are served all the same.
#pragma once

#include "format/disk_image.h"

namespace backstitch::mount {

// Bytes in [begin, end) that are not known to be zero. A chunk that crosses an
// end counts with the part that lies inside.
uint64_t count_data(const format::DiskImage& image, uint64_t begin,
                    uint64_t end);

// Whether prefetch does anything for this image.
bool can_prefetch(const format::DiskImage& image);
// Decodes a range into the cache of decoded chunks. Never throws: damage is
// for the reader to find.
void prefetch(const format::DiskImage& image, uint64_t offset,
              uint64_t length) noexcept;

}  // namespace backstitch::mount
