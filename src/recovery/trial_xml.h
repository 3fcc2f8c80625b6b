// What is different about a machine that is started only to see it come up.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace backstitch::engine {

// The description of a session (see adapt_description) with a log file in
// `directory` for each console and one serial console at least, disks that need
// not be durable, and nobody who could look at its screen through the network.
std::string trial_description(const std::string& xml,
                              const std::filesystem::path& directory);

struct ConsoleFile {
  std::string name;  // "serial0", "console1"
  std::filesystem::path path;
};
// The log files that trial_description named.
std::vector<ConsoleFile> console_files(const std::string& xml);

}  // namespace backstitch::engine
