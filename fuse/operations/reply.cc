#include "fuse/operations/reply.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <new>

namespace backstitch::mount {
namespace {

// The kernel asks again after this; how soon a new point can be seen.
constexpr double kLiveSeconds = 1.0;
constexpr double kConstantSeconds = 365.0 * 24 * 3600;

int errno_of(const Error& error, int not_found) {
  switch (error.kind()) {
    case ErrorKind::kNotFound:
      return not_found;
    case ErrorKind::kUsage:
      return EINVAL;
    case ErrorKind::kBusy:
      return EBUSY;
    case ErrorKind::kUnsupported:
      return EOPNOTSUPP;
    case ErrorKind::kInterrupted:
      return EINTR;
    case ErrorKind::kFailed:
      // What a writer can do something about.
      if (error.system_errno() == ENOSPC || error.system_errno() == EDQUOT ||
          error.system_errno() == EFBIG)
        return error.system_errno();
      break;
    case ErrorKind::kDamaged:
    case ErrorKind::kNoBase:
      break;
  }
  return EIO;
}

}  // namespace

int errno_in_flight(const char* what, int not_found) {
  try {
    throw;
  } catch (const Error& error) {
    const int code = errno_of(error, not_found);
    // Names that are not there are everyday questions, not failures.
    const auto level =
        code == ENOENT ? spdlog::level::debug : spdlog::level::err;
    spdlog::log(level, "{}: {}", what, error.what());
    return code;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", what, error.what());
    return EIO;
  }
}

double timeout_seconds(const Node& node) {
  return node.is_constant() ? kConstantSeconds : kLiveSeconds;
}

fuse_entry_param remember_entry(Driver& driver, fuse_ino_t parent,
                                const std::string& name, NodePointer node) {
  fuse_entry_param entry{};
  // First what may fail: a reference that the kernel does not learn of would
  // never be given back.
  // Opening a file must not wait for its blocks to be counted; who wants to
  // know them (stat, du) makes the kernel ask again.
  bool exact = true;
  entry.attr = node->quick_attributes(exact);
  entry.entry_timeout = timeout_seconds(*node);
  entry.attr_timeout = exact ? entry.entry_timeout : 0;
  const auto known = driver.inodes.remember(parent, name, std::move(node));
  entry.ino = known.inode;
  entry.attr.st_ino = known.inode;
  return entry;
}

}  // namespace backstitch::mount
