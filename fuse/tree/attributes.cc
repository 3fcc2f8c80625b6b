#include "fuse/tree/attributes.h"

#include <algorithm>
#include <cerrno>

#include "format/base/error.h"

namespace backstitch::mount {
namespace {

constexpr blkcnt_t kBlockBytes = 512;  // of st_blocks, stat(2)

struct stat owned(const TreeContext& context, mode_t mode, nlink_t links) {
  struct stat status {};
  status.st_mode = mode;
  status.st_nlink = links;
  status.st_uid = context.uid;
  status.st_gid = context.gid;
  return status;
}

void set_time(struct stat& status, format::Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  timespec spec{};
  spec.tv_sec = seconds.time_since_epoch().count();
  spec.tv_nsec = static_cast<decltype(spec.tv_nsec)>(
      std::chrono::nanoseconds(time - seconds).count());
  status.st_atim = status.st_mtim = status.st_ctim = spec;
}

void copy_time(struct stat& status, const std::filesystem::path& origin) {
  struct stat source {};
  if (::stat(origin.c_str(), &source) != 0)
    throw system_error(errno, "examine " + origin.string());
  status.st_atim = status.st_mtim = status.st_ctim = source.st_mtim;
}

}  // namespace

struct stat live_directory(const TreeContext& context,
                           const std::filesystem::path& origin) {
  struct stat status = owned(context, S_IFDIR | context.directory_mode, 2);
  copy_time(status, origin);
  return status;
}

struct stat frozen_directory(const TreeContext& context, format::Time time) {
  struct stat status = owned(context, S_IFDIR | context.directory_mode, 2);
  set_time(status, time);
  return status;
}

struct stat frozen_file(const TreeContext& context, format::Time time,
                        uint64_t length, uint64_t data_bytes) {
  struct stat status = owned(context, S_IFREG | context.file_mode, 1);
  status.st_size = static_cast<off_t>(length);
  status.st_blksize = format::kChunkBytes;
  status.st_blocks =
      (static_cast<blkcnt_t>(data_bytes) + kBlockBytes - 1) / kBlockBytes;
  set_time(status, time);
  return status;
}

struct stat written_file(struct stat frozen, const TreeContext& context,
                         const format::OverlayImage* written) {
  struct stat status = frozen;
  status.st_mode = S_IFREG | context.writable_mode;
  status.st_blksize = format::kBlockBytes;
  if (written == nullptr) return status;
  const auto more = static_cast<blkcnt_t>(written->written_bytes());
  status.st_blocks =
      std::min<blkcnt_t>(status.st_blocks + more / kBlockBytes,
                         (status.st_size + kBlockBytes - 1) / kBlockBytes);
  status.st_atim = status.st_mtim = status.st_ctim = written->changed_at();
  return status;
}

struct stat symbolic_link(const TreeContext& context,
                          const std::filesystem::path& origin,
                          const std::string& target) {
  struct stat status = owned(context, S_IFLNK | 0777, 1);
  status.st_size = static_cast<off_t>(target.size());
  copy_time(status, origin);
  return status;
}

}  // namespace backstitch::mount
