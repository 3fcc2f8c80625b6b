// The part of repair that mends files: manifests, headers, lengths, side files.
#pragma once

#include "format/replication/repair_log.h"
#include "format/replication/stored_point.h"

namespace backstitch::format {

// Mends what it can of the point's (or remains') own files, but for pages and
// chunks. `number` has a directory in the domain.
void repair_files(const Domain& domain, uint32_t number,
                  const RepairSources& sources, RepairLog& log);

}  // namespace backstitch::format
