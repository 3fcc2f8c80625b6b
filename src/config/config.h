// /etc/backstitch/backstitch.toml: which machines are backed up, how, and what
// is kept. Described in man/backstitch.1, CONFIGURATION.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/repository/retention.h"

namespace backstitch::engine {

// What is done for one machine.
struct MachinePlan {
  std::string name;
  std::string level = "auto";
  // A new full once the last one is older, in days; 0: never.
  unsigned full_every_days = 0;
  // Further words of `backstitch backup`.
  std::vector<std::string> options;
  // Disk to file, of a machine that libvirt does not know; else empty.
  std::map<std::string, std::string> images;
  format::KeepPolicy keep;      // empty: nothing is deleted
  std::string verify = "none";  // the new point: "none", "quick", "full"
  // How old the last point may become; 0: as old as it likes. Nothing: the
  // file does not say.
  std::optional<std::chrono::seconds> overdue;
  std::string before;  // shell commands; empty: none
  std::string after;
};

struct Config {
  std::string repository;  // empty: not said
  std::string connect;     // the same
  std::string report;      // a file for the page of `report`; empty: none
  std::string metrics;     // a file for Prometheus; empty: none
  bool all_domains = false;
  MachinePlan defaults;  // for machines that have no part of their own
  std::vector<MachinePlan> machines;

  // The part of that name, else the defaults under it.
  MachinePlan machine(const std::string& name) const;
};

// Of the key `overdue`: "26h", "3d", or "never", which is 0. Nothing when it is
// none.
std::optional<std::chrono::seconds> parse_patience(const std::string& text);

// BACKSTITCH_CONFIG, else /etc/backstitch/backstitch.toml.
std::filesystem::path config_path();

// Throws kNotFound where there is none, and kUsage with file and line on what
// is no TOML, an unknown key, or a value that cannot be.
Config load_config(const std::filesystem::path& path);
// An empty one where there is none.
Config load_config_if_there(const std::filesystem::path& path);

}  // namespace backstitch::engine
