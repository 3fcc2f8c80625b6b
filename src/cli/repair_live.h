// Images and devices as a source of good chunks.
#pragma once

#include <memory>
#include <string>

#include "format/replication/repair.h"

namespace backstitch::cli {

// The image or device `file` as the disk `disk`; `format` empty: found out.
// A raw one may be in use by a running machine. Throws as probe_images does.
std::unique_ptr<format::LiveContent> open_live(const std::string& disk,
                                               const std::string& file,
                                               const std::string& format);

}  // namespace backstitch::cli
