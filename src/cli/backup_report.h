// How `backstitch backup` says what it did.
#pragma once

#include <nlohmann/json.hpp>

#include "src/libvirt/domain_backup.h"

namespace backstitch::cli {

nlohmann::json backup_json(const engine::DomainBackupResult& result);
// A line and a table of the disks, on stdout.
void report_backup(const format::Manifest& manifest);
// A line where there is no point, else the same.
void report_backup(const std::string& domain,
                   const engine::DomainBackupResult& result);

}  // namespace backstitch::cli
