// One point of a repository, made the same in another.
//
// Refs name a point and an offset in its files, so a copy keeps its number and
// every byte of its files. Of deleted points, the bytes that the point still
// needs go with it, at their places in files that are otherwise holes.
// Specified in man/backstitch-format.5, COPYING.
#pragma once

#include <functional>
#include <string>

#include "format/repository/repository.h"
#include "format/repository/writer_lock.h"

namespace backstitch::format {

// What the caller wants to know and say meanwhile; each may be empty. What they
// throw ends the copy.
struct CopyHooks {
  // A part of the work begins: about so many bytes.
  std::function<void(const std::string& part, uint64_t bytes)> begin;
  std::function<void(uint64_t bytes)> advance;
  std::function<void()> end;
  // Before so many bytes are read from the source.
  std::function<void(uint64_t bytes)> before_read;
};

struct CopyCounts {
  uint64_t written_bytes = 0;
  uint64_t continued_bytes = 0;  // that a run before had written
};

// Copies `point` of `source` into `target`, which must have all points that it
// was built on and that still are (see plan_copy), and not this one; `lock` is
// the target's. All that arrives is read back and checked before it becomes a
// point. After a throw there is no point; what was copied so far stays in a
// hidden directory for the next run.
CopyCounts copy_point(const Domain& source, const Point& point,
                      const Domain& target, const WriterLock& lock,
                      const CopyHooks& hooks);

// Removes what runs that did not end left of points that `target` has by now,
// or that `source` has no longer.
void sweep_copies(const Domain& source, const Domain& target,
                  const WriterLock& lock);

// A point being copied is a directory with this prefix.
inline constexpr const char* kCopyPrefix = ".copy-";

}  // namespace backstitch::format
