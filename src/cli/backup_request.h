// What `backstitch backup` was asked for.
#pragma once

#include "src/cli/command.h"
#include "src/image/image_backup.h"
#include "src/libvirt/domain_backup.h"

namespace backstitch::cli {

// The options that say how a backup is made.
Options backup_options();

// From --image and its like. Throws kUsage on what makes no sense.
engine::ImageBackupRequest image_backup_request(const Values& values);
// For one domain of libvirt. Throws kUsage.
engine::DomainBackupRequest domain_backup_request(const Values& values,
                                                  const std::string& domain);

// --jobs.
unsigned jobs_at_once(const Values& values);

}  // namespace backstitch::cli
