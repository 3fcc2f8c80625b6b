// The header of an overlay's journal, see overlay_journal.h.
#pragma once

#include <array>

#include "format/overlay/overlay_journal.h"

namespace backstitch::format {

std::array<std::byte, kHeaderBytes> encode_overlay_header(
    const OverlayIdentity& identity);
// Throws kDamaged, or kUnsupported when it is newer.
OverlayIdentity decode_overlay_header(
    std::span<const std::byte, kHeaderBytes> bytes);

}  // namespace backstitch::format
