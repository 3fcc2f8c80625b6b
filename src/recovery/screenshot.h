// What a machine shows on its screen.
#pragma once

#include "format/base/bytes.h"
#include "src/libvirt/connection.h"

namespace backstitch::engine {

// As PNG. Throws kFailed, kUnsupported where it has no screen.
Bytes take_screenshot(Guest& guest);

// QEMU gives a PNG or, before 7.1, a PPM (netpbm's ppm(5), P6, 8 bits). A PNG
// stays as it is. Throws kFailed on anything else.
Bytes to_png(Bytes image);

}  // namespace backstitch::engine
