// Operations on files.
#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fuse/operations/reply.h"

namespace backstitch::mount {
namespace {

// One reply's bytes, kept for the thread's next one: a fresh megabyte for each
// request would be zeroed and mapped anew each time.
std::span<std::byte> reply_buffer(size_t size) {
  static constexpr size_t kAlignment = 4096;
  struct Free {
    void operator()(std::byte* bytes) const {
      ::operator delete (bytes, std::align_val_t{kAlignment});
    }
  };
  thread_local std::unique_ptr<std::byte, Free> buffer;
  thread_local size_t capacity = 0;
  if (size > capacity) {
    buffer.reset();
    capacity = 0;
    buffer.reset(static_cast<std::byte*>(
        ::operator new (size, std::align_val_t{kAlignment})));
    capacity = size;
  }
  return {buffer.get(), size};
}

// The answer to open for a direct writer. Otherwise the kernel lets one write
// at a time through to a file; libfuse 3.14 cannot say that it need not.
int reply_parallel_open(fuse_req_t request, uint64_t handle) {
  constexpr uint32_t kParallelDirectWrites = 1 << 6;
  fuse_open_out reply{};
  reply.fh = handle;
  reply.open_flags = FOPEN_DIRECT_IO | FOPEN_KEEP_CACHE | kParallelDirectWrites;
  return fuse_reply_buf(request, reinterpret_cast<const char*>(&reply),
                        sizeof reply);
}

void on_open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  answer(request, "open", ESTALE, [&] {
    const bool is_written = (file->flags & O_ACCMODE) != O_RDONLY;
    if (is_written && driver_of(request).tree.overlays == nullptr) {
      fuse_reply_err(request, EROFS);
      return;
    }
    const NodePointer node = driver_of(request).inodes.get(inode);
    auto opened =
        std::make_unique<OpenFile>(node->open(), (file->flags & O_DIRECT) != 0);
    if (is_written && !opened->is_writable()) {
      fuse_reply_err(request, EROFS);
      return;
    }
    if ((file->flags & O_TRUNC) != 0 && opened->image().size() > 0) {
      fuse_reply_err(request, EPERM);
      return;
    }
    file->fh = opened->handle();
    file->keep_cache = opened->cache_is_good();
    file->noflush = !is_written;
    const bool in_parallel = is_written && (file->flags & O_DIRECT) != 0 &&
                             driver_of(request).kernel_writes_in_parallel;
    const int result = in_parallel ? reply_parallel_open(request, file->fh)
                                   : fuse_reply_open(request, file);
    // When the caller was interrupted there will be no release.
    if (result == 0) static_cast<void>(opened.release());
  });
}

void on_read(fuse_req_t request, fuse_ino_t /*inode*/, size_t size,
             off_t offset, fuse_file_info* file) {
  answer(request, "read", EIO, [&] {
    OpenFile& opened = OpenFile::of_handle(file->fh);
    const uint64_t end = opened.image().size();
    const auto begin = std::min(static_cast<uint64_t>(offset), end);
    const auto bytes = reply_buffer(std::min<uint64_t>(size, end - begin));
    if (!bytes.empty()) driver_of(request).reader.read(opened, begin, bytes);
    fuse_reply_buf(request, reinterpret_cast<const char*>(bytes.data()),
                   bytes.size());
  });
}

void on_lseek(fuse_req_t request, fuse_ino_t /*inode*/, off_t offset,
              int whence, fuse_file_info* file) {
  answer(request, "seek", EIO, [&] {
    const format::DiskImage& image = OpenFile::of_handle(file->fh).image();
    const auto from = static_cast<uint64_t>(offset);
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
      fuse_reply_err(request, EINVAL);
      return;
    }
    if (offset < 0 || from >= image.size()) {
      fuse_reply_err(request, ENXIO);
      return;
    }
    const uint64_t found =
        whence == SEEK_DATA ? image.next_data(from) : image.next_hole(from);
    if (whence == SEEK_DATA && found >= image.size()) {
      fuse_reply_err(request, ENXIO);
      return;
    }
    fuse_reply_lseek(request, static_cast<off_t>(found));
  });
}

void on_release(fuse_req_t request, fuse_ino_t /*inode*/,
                fuse_file_info* file) {
  const std::unique_ptr<OpenFile> owned(&OpenFile::of_handle(file->fh));
  fuse_reply_err(request, 0);
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& operations) {
  operations.open = on_open;
  operations.read = on_read;
  operations.lseek = on_lseek;
  operations.release = on_release;
}

}  // namespace backstitch::mount
