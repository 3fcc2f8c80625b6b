// The `-o` options, as mount(8), fstab and systemd hand them over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace backstitch::mount {

struct MountOptions {
  bool allow_other = false;
  bool nonempty = false;
  std::vector<std::string> points;  // DOMAIN[@SELECTOR]
  bool writable = false;
  std::string overlay;  // directory; empty: writes are dropped at the end
  // For decoded chunks and map pages together.
  uint64_t cache_bytes = 32 << 20;
  unsigned threads = 16;
  // Of the kernel, for this mount; 0 leaves it alone.
  unsigned readahead_kb = 1024;
  std::string log_file;
  // Handed to the kernel or libfuse as they are.
  std::vector<std::string> passed_on;
};

// Adds the options of one `-o` argument: words separated by commas, in which a
// backslash takes the meaning from the character that follows. What belongs to
// mount(8) and has no meaning here is accepted. Throws kUsage.
void parse_mount_options(const std::string& text, MountOptions& options);

}  // namespace backstitch::mount
