// Overwrites damaged bytes and remembers where.
#pragma once

#include "format/replication/repair.h"

namespace backstitch::format {

// One thread. Every write is durable when its call returns.
class RepairLog {
 public:
  explicit RepairLog(bool dry_run) : dry_run_(dry_run) {}

  bool dry_run() const { return dry_run_; }
  std::vector<Mended>& mended() { return mended_; }

  // Bytes inside a file that is there.
  void overwrite(const std::filesystem::path& path, ByteView bytes,
                 Mended what);
  // The whole of a small file, made if it is not there.
  void replace(const std::filesystem::path& path, std::string_view content,
               Mended what);
  void resize(const std::filesystem::path& path, uint64_t size, Mended what);
  void zero(const std::filesystem::path& path, uint64_t begin, uint64_t end,
            Mended what);

 private:
  const bool dry_run_;
  std::vector<Mended> mended_;
};

}  // namespace backstitch::format
