// A file that appears under its name when it is complete.
#pragma once

#include <filesystem>

#include "src/recovery/image_target.h"

namespace backstitch::engine {

// Lies hidden beside its final place, readable by its owner only; goes with the
// object unless it was published.
class NewFile {
 public:
  // Throws kUsage when `target` exists and `overwrite` is false, kBusy when a
  // machine has it open.
  NewFile(const std::filesystem::path& target, bool overwrite);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  const std::filesystem::path& path() const { return path_; }
  // Gives the file its name. Its content must have been synced before.
  void publish(Durability durability);

 private:
  std::filesystem::path target_;
  const bool overwrite_;
  std::filesystem::path path_;
};

// Removes what killed programs have left of new files for this target.
void sweep_new_files(const std::filesystem::path& target);

// Throws what NewFile would, before anything is made.
void check_new_file(const std::filesystem::path& target, bool overwrite);

}  // namespace backstitch::engine
