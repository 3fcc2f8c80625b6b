// Results on stdout, for people or as one JSON document.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "format/repository/manifest.h"
#include "src/base/progress.h"
#include "src/cli/command.h"
#include "src/cli/table.h"

namespace backstitch::cli {

// Writes all of it to stdout or throws kFailed (a full disk, a closed pipe).
// Names from outside must have gone through format::printable or a Table.
void print(std::string_view text);

// The one document of a --json run. Bytes that are no UTF-8 are replaced.
void print_json(const nlohmann::json& document);
// Whether print_json was called: an error must not follow it on stdout.
bool json_printed();

// "2026-11-23 02:05:11" in local time.
std::string local_time(format::Time time);
// The same to the minute, for tables.
std::string local_minute(format::Time time);

// "1 point", "2 points".
std::string count_of(uint64_t count, const std::string& noun);

// A bar where stderr is a terminal, a line every ten seconds elsewhere, nothing
// with -q. What is drawn goes away when the object does.
std::unique_ptr<engine::Progress> make_progress(const Globals& globals);

}  // namespace backstitch::cli
