// A guest's file for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "src/cli/table.h"
#include "src/files/guest.h"

namespace backstitch::cli {

// "-rwsr-xr-x".
std::string mode_text(mode_t mode);
// "file", "directory", "symlink", "character device", "block device", "fifo",
// "socket".
std::string type_text(mode_t mode);
// "2026-11-23T02:05:11.123456789Z".
std::string utc_text(const engine::GuestTime& time);

// As `ls -l` of a table: mode, links, owner, size, time, name.
Table long_table();
void add_long_row(Table& table, const engine::GuestFile& file,
                  const std::string& name);
nlohmann::json file_json(const engine::GuestFile& file,
                         const std::string& path);

}  // namespace backstitch::cli
