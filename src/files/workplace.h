// Where libguestfs, and the QEMU that it starts, put what is theirs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace backstitch::engine {

// While it lives, temporary files of this process and its children go into a
// directory that goes as a whole: a QEMU that is ended while it starts leaves
// some of them. libguestfs's cache, the appliance, stays where it was. Changes
// the environment: make and drop it while no other thread runs that reads it.
// Several end in the reverse order.
class Workplace {
 public:
  // The directory must be there.
  explicit Workplace(const std::filesystem::path& directory);
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace();

 private:
  std::optional<std::string> before_;
};

}  // namespace backstitch::engine
