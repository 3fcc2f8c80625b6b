// Operations that change what files hold, and the refusal of all others. The
// tree itself, and what files are, never changes.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>

#include "fuse/operations/reply.h"

namespace backstitch::mount {
namespace {

void on_write(fuse_req_t request, fuse_ino_t /*inode*/, const char* bytes,
              size_t size, off_t offset, fuse_file_info* file) {
  answer(request, "write", EIO, [&] {
    OpenFile& opened = OpenFile::of_handle(file->fh);
    const uint64_t end = opened.image().size();
    const auto begin = static_cast<uint64_t>(offset);
    // A disk does not grow; as on one, the part that fits is written.
    if (size > 0 && begin >= end) {
      fuse_reply_err(request, EFBIG);
      return;
    }
    const auto length = std::min<uint64_t>(size, end - std::min(begin, end));
    opened.writable().write_at(opened.offset_in_disk() + begin,
                               std::as_bytes(std::span(bytes, length)));
    fuse_reply_write(request, length);
  });
}

void on_fallocate(fuse_req_t request, fuse_ino_t /*inode*/, int mode,
                  off_t offset, off_t length, fuse_file_info* file) {
  answer(request, "fallocate", EIO, [&] {
    OpenFile& opened = OpenFile::of_handle(file->fh);
    const bool keeps_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
    const int action = mode & ~FALLOC_FL_KEEP_SIZE;
    if (action != 0 && action != FALLOC_FL_PUNCH_HOLE &&
        action != FALLOC_FL_ZERO_RANGE) {
      fuse_reply_err(request, EOPNOTSUPP);
      return;
    }
    const uint64_t size = opened.image().size();
    const auto begin = std::min(static_cast<uint64_t>(offset), size);
    const auto wanted =
        static_cast<uint64_t>(offset) + static_cast<uint64_t>(length);
    if (wanted > size && !keeps_size) {
      fuse_reply_err(request, EFBIG);
      return;
    }
    const uint64_t count = std::min(wanted, size) - begin;
    const uint64_t in_disk = opened.offset_in_disk() + begin;
    if (action == 0) {
      opened.writable().allocate(in_disk, count);
    } else {
      opened.writable().zero(in_disk, count);
    }
    fuse_reply_err(request, 0);
  });
}

void on_fsync(fuse_req_t request, fuse_ino_t /*inode*/, int /*datasync*/,
              fuse_file_info* file) {
  answer(request, "fsync", EIO, [&] {
    OpenFile& opened = OpenFile::of_handle(file->fh);
    if (opened.is_writable()) opened.writable().sync();
    fuse_reply_err(request, 0);
  });
}

// Sets a size only to what it is; owner, mode and times belong to the point.
void on_setattr(fuse_req_t request, fuse_ino_t inode, struct stat* wanted,
                int to_set, fuse_file_info* /*file*/) {
  answer(request, "setattr", ESTALE, [&] {
    const NodePointer node = driver_of(request).inodes.get(inode);
    struct stat status = node->attributes();
    constexpr int kOthers = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
                            FUSE_SET_ATTR_GID | FUSE_SET_ATTR_ATIME |
                            FUSE_SET_ATTR_MTIME;
    const bool is_size = (to_set & FUSE_SET_ATTR_SIZE) != 0;
    if ((is_size && wanted->st_size != status.st_size) ||
        (!is_size && (to_set & kOthers) != 0)) {
      fuse_reply_err(request, EPERM);
      return;
    }
    status.st_ino = inode;
    fuse_reply_attr(request, &status, timeout_seconds(*node));
  });
}

// Without these the kernel would say "Function not implemented".
template <typename... Arguments>
void refuse(fuse_req_t request, Arguments... /*arguments*/) {
  fuse_reply_err(request, EROFS);
}

}  // namespace

void add_writing_operations(fuse_lowlevel_ops& operations) {
  operations.write = on_write;
  operations.fallocate = on_fallocate;
  operations.fsync = on_fsync;
  operations.setattr = on_setattr;
  operations.mknod = refuse;
  operations.mkdir = refuse;
  operations.unlink = refuse;
  operations.rmdir = refuse;
  operations.symlink = refuse;
  operations.rename = refuse;
  operations.link = refuse;
  operations.create = refuse;
}

}  // namespace backstitch::mount
