// The page of `backstitch report`, for `backstitch run`.
#pragma once

#include <filesystem>

#include "format/repository/repository.h"

namespace backstitch::cli {

// Replaces the file, whole or not at all.
void write_report(const format::Repository& repository,
                  const std::filesystem::path& path);

}  // namespace backstitch::cli
