// What Prometheus's textfile collector reads.
// Source: Prometheus, "Exposition formats", text format 0.0.4.
#pragma once

#include <string>

#include "format/repository/repository.h"

namespace backstitch::engine {

// Of every machine in the repository: its points, their sizes and times, the
// last run and the last verification on this host.
std::string metrics_text(const format::Repository& repository);

// Written beside and renamed: the collector never sees half of it.
void write_metrics(const format::Repository& repository,
                   const std::filesystem::path& path);

}  // namespace backstitch::engine
