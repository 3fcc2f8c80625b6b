// One writer per domain.
#pragma once

#include "format/base/file.h"
#include "format/repository/repository.h"

namespace backstitch::format {

// Held while a domain's points are made or deleted; the kernel lets go of it
// when the process ends, however it ends. Move-only.
class WriterLock {
 public:
  // Throws kBusy, naming the holder where it can be known. Then sweeps what an
  // unfinished run left: partial points, deletions to be completed.
  explicit WriterLock(const Domain& domain);

 private:
  File file_;
};

// A partial point is a directory with this prefix; a crash may leave it.
inline constexpr const char* kPartialPrefix = ".new-";

// "backstitch backup vm1 (process 123)", for those who hold a lock (flock) on
// an open file; empty when nobody can be named.
std::string lock_holders(const File& file);

}  // namespace backstitch::format
