// How this project sets up zstd: for the chain's own files alone.
#pragma once

#include <zstd.h>

namespace backstitch::format {

// One of zstd's levels, as it serves chunks best.
void set_level(ZSTD_CCtx* context, int level);

}  // namespace backstitch::format
