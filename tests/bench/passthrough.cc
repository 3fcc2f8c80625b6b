// The ceiling for a FUSE driver: one file, handed through as it is.
//
//   passthrough FILE MOUNTPOINT     shows FILE as MOUNTPOINT/disk.raw
//
// As quick as libfuse's low-level interface allows: many threads with their own
// channel, replies spliced from the file, the page cache kept. Runs in the
// foreground until it is unmounted.
#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>

namespace {

constexpr const char* kName = "disk.raw";
constexpr fuse_ino_t kFile = 2;
constexpr double kForever = 86400;
constexpr unsigned kRequestBytes = 1 << 20;

int source = -1;  // the file; written once, before the threads start

bool attributes(fuse_ino_t inode, struct stat* out) {
  *out = {};
  out->st_ino = inode;
  if (inode == FUSE_ROOT_ID) {
    out->st_mode = S_IFDIR | 0755;
    out->st_nlink = 2;
    return true;
  }
  if (inode != kFile || fstat(source, out) != 0) return false;
  out->st_ino = inode;
  out->st_mode = S_IFREG | 0444;
  return true;
}

void init(void* /*data*/, fuse_conn_info* connection) {
  connection->max_read = kRequestBytes;
  connection->max_readahead = kRequestBytes;
  connection->max_background = 256;
  connection->want |= connection->capable & FUSE_CAP_SPLICE_WRITE;
  connection->want |= connection->capable & FUSE_CAP_SPLICE_MOVE;
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_entry_param entry = {};
  entry.ino = kFile;
  entry.attr_timeout = entry.entry_timeout = kForever;
  if (parent != FUSE_ROOT_ID || std::strcmp(name, kName) != 0 ||
      !attributes(kFile, &entry.attr))
    fuse_reply_err(request, ENOENT);
  else
    fuse_reply_entry(request, &entry);
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
  struct stat found;
  if (attributes(inode, &found))
    fuse_reply_attr(request, &found, kForever);
  else
    fuse_reply_err(request, ENOENT);
}

void open(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  file->keep_cache = 1;
  fuse_reply_open(request, file);
}

void read(fuse_req_t request, fuse_ino_t /*inode*/, size_t size, off_t offset,
          fuse_file_info* /*file*/) {
  fuse_bufvec buffer = {};
  buffer.count = 1;
  buffer.buf[0].size = size;
  buffer.buf[0].flags =
      static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
  buffer.buf[0].fd = source;
  buffer.buf[0].pos = offset;
  fuse_reply_data(request, &buffer, FUSE_BUF_SPLICE_MOVE);
}

int serve(const char* mountpoint) {
  fuse_lowlevel_ops operations = {};
  operations.init = init;
  operations.lookup = lookup;
  operations.getattr = getattr;
  operations.open = open;
  operations.read = read;

  char program[] = "passthrough";
  char flag[] = "-o";
  char options[] = "ro,max_read=1048576";
  std::array<char*, 3> words = {program, flag, options};
  fuse_args arguments = FUSE_ARGS_INIT(words.size(), words.data());
  const std::unique_ptr<fuse_session, decltype(&fuse_session_destroy)> session(
      fuse_session_new(&arguments, &operations, sizeof operations, nullptr),
      fuse_session_destroy);
  fuse_opt_free_args(&arguments);
  if (!session || fuse_session_mount(session.get(), mountpoint) != 0) return 1;
  fuse_set_signal_handlers(session.get());

  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 1);
  const int result = fuse_session_loop_mt(session.get(), config);
  fuse_loop_cfg_destroy(config);
  fuse_remove_signal_handlers(session.get());
  fuse_session_unmount(session.get());
  return result == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: passthrough FILE MOUNTPOINT\n";
    return 2;
  }
  source = ::open(arguments[1], O_RDONLY | O_CLOEXEC);
  if (source < 0) {
    std::cerr << arguments[1] << ": " << std::strerror(errno) << '\n';
    return 1;
  }
  return serve(arguments[2]);
}
