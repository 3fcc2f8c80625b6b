// A chunk coded again so that it takes exactly the bytes that it took before.
#pragma once

#include <optional>

#include "format/chain/codec.h"

namespace backstitch::format {

// The bytes that `ref`, of a chunk, may name, made from its decoded content.
// A ref fixes codec and length: where zstd now needs less, the frame is filled
// up with empty blocks (RFC 8878, 3.1.1.2), where it needs more, higher levels
// are tried. `first` is what the chunk was probably coded with. Nothing when
// `content` is not what the ref names, or no level makes it short enough.
std::optional<Bytes> fit_chunk(const Ref& ref, ByteView content,
                               Compression first);

}  // namespace backstitch::format
