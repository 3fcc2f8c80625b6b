// Operations on directories.
#include <cerrno>

#include "fuse/operations/reply.h"

namespace backstitch::mount {
namespace {

// The d_ino of an entry whose node is not known; 0 would hide it from libc.
constexpr ino_t kUnknownInode = 0xFFFFFFFF;

// A directory that the kernel has open: what it held when it was last read from
// the start, so that one reading is of one state.
struct OpenDirectory {
  explicit OpenDirectory(NodePointer of) : node(std::move(of)) {}

  const NodePointer node;
  Synchronized<std::vector<DirectoryEntry>> entries;
};

OpenDirectory& directory_of_handle(const fuse_file_info* file) {
  return *reinterpret_cast<OpenDirectory*>(file->fh);
}

std::vector<DirectoryEntry> with_dots(std::vector<DirectoryEntry> entries) {
  entries.insert(entries.begin(),
                 {{".", S_IFDIR, nullptr}, {"..", S_IFDIR, nullptr}});
  return entries;
}

// A reply to readdir or readdirplus as it grows.
class Listing {
 public:
  Listing(fuse_req_t request, fuse_ino_t parent, size_t size, bool plus)
      : request_(request), parent_(parent), buffer_(size), plus_(plus) {}

  // False when there is no room left. `next` is the offset after the entry.
  bool add(const DirectoryEntry& entry, off_t next) {
    return plus_ ? add_plus(entry, next) : add_plain(entry, next);
  }

  void reply() { fuse_reply_buf(request_, buffer_.data(), used_); }

 private:
  bool add_plain(const DirectoryEntry& entry, off_t next) {
    struct stat status {};
    status.st_ino = kUnknownInode;
    status.st_mode = entry.type;
    const size_t needed = fuse_add_direntry(request_, buffer_.data() + used_,
                                            buffer_.size() - used_,
                                            entry.name.c_str(), &status, next);
    return take(needed);
  }

  bool add_plus(const DirectoryEntry& entry, off_t next) {
    // Asked first: a node must not be counted when its entry finds no room.
    const size_t needed = fuse_add_direntry_plus(
        request_, nullptr, 0, entry.name.c_str(), nullptr, 0);
    if (needed > buffer_.size() - used_) return false;
    fuse_entry_param parameters{};
    if (entry.node) {
      parameters =
          remember_entry(driver_of(request_), parent_, entry.name, entry.node);
    } else {
      // Without an inode the kernel takes the entry as readdir's.
      parameters.attr.st_ino = kUnknownInode;
      parameters.attr.st_mode = entry.type;
    }
    fuse_add_direntry_plus(request_, buffer_.data() + used_,
                           buffer_.size() - used_, entry.name.c_str(),
                           &parameters, next);
    return take(needed);
  }

  bool take(size_t needed) {
    if (needed > buffer_.size() - used_) return false;
    used_ += needed;
    return true;
  }

  const fuse_req_t request_;
  const fuse_ino_t parent_;
  std::vector<char> buffer_;
  size_t used_ = 0;
  const bool plus_;
};

void list(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
          const fuse_file_info* file, bool plus) {
  answer(request, "readdir", ESTALE, [&] {
    OpenDirectory& directory = directory_of_handle(file);
    Listing listing(request, inode, size, plus);
    directory.entries.with([&](std::vector<DirectoryEntry>& entries) {
      if (offset == 0) entries = with_dots(directory.node->list());
      for (auto at = static_cast<size_t>(offset); at < entries.size(); ++at)
        if (!listing.add(entries[at], static_cast<off_t>(at + 1))) break;
    });
    listing.reply();
  });
}

void on_opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  answer(request, "opendir", ESTALE, [&] {
    auto directory =
        std::make_unique<OpenDirectory>(driver_of(request).inodes.get(inode));
    file->fh = reinterpret_cast<uint64_t>(directory.get());
    // When the caller was interrupted there will be no releasedir.
    if (fuse_reply_open(request, file) == 0)
      static_cast<void>(directory.release());
  });
}

void on_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                fuse_file_info* file) {
  list(request, inode, size, offset, file, false);
}

void on_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                    off_t offset, fuse_file_info* file) {
  list(request, inode, size, offset, file, true);
}

void on_releasedir(fuse_req_t request, fuse_ino_t /*inode*/,
                   fuse_file_info* file) {
  const std::unique_ptr<OpenDirectory> owned(&directory_of_handle(file));
  fuse_reply_err(request, 0);
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& operations) {
  operations.opendir = on_opendir;
  operations.readdir = on_readdir;
  operations.readdirplus = on_readdirplus;
  operations.releasedir = on_releasedir;
}

}  // namespace backstitch::mount
