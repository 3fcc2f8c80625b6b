// Operations that are about the mount as a whole.
#include <sys/statvfs.h>

#include <cerrno>

#include "fuse/operations/reply.h"

namespace backstitch::mount {
namespace {

// Linux 6.6: from there on a file that bypasses the page cache takes care of
// pages that others have of it.
constexpr unsigned kCoherentDirectIo = 39;

void on_init(void* driver, fuse_conn_info* connection) {
  static_cast<Driver*>(driver)->kernel_writes_in_parallel =
      connection->proto_minor >= kCoherentDirectIo;
  // Direct reads and readahead count as background requests; the default of 12
  // would cap the queue depth of O_DIRECT readers.
  connection->max_background = 256;
  connection->congestion_threshold = 192;
  // Images never change: the kernel need not compare times to keep its pages.
  const unsigned explicit_invalidation = FUSE_CAP_EXPLICIT_INVAL_DATA;
  if ((connection->capable & explicit_invalidation) != 0) {
    connection->want |= explicit_invalidation;
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
  }
}

void on_statfs(fuse_req_t request, fuse_ino_t /*inode*/) {
  answer(request, "statfs", ESTALE, [&] {
    const auto& repository = driver_of(request).tree.catalog->repository();
    struct statvfs status {};
    if (::statvfs(repository.c_str(), &status) != 0)
      throw system_error(errno, "examine " + repository.string());
    status.f_namemax = 255;
    fuse_reply_statfs(request, &status);
  });
}

}  // namespace

void add_session_operations(fuse_lowlevel_ops& operations) {
  operations.init = on_init;
  operations.statfs = on_statfs;
}

// Operations that are left out answer ENOSYS, which is right for them: the
// kernel then does without (copy_file_range, xattr, access) or refuses (ioctl).
// Writes only arrive where the mount is writable.
fuse_lowlevel_ops driver_operations() {
  fuse_lowlevel_ops operations{};
  add_session_operations(operations);
  add_name_operations(operations);
  add_directory_operations(operations);
  add_file_operations(operations);
  add_writing_operations(operations);
  return operations;
}

}  // namespace backstitch::mount
