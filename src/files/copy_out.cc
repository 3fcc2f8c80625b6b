// Files out of a guest, by libarchive: it reads the guest's tar stream and
// writes the files, and has the checks that keep it inside of the target.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/base/stop.h"
#include "src/files/guest.h"

namespace backstitch::engine {

namespace {

namespace fs = std::filesystem;

template <auto kFree>
struct ArchiveFree {
  template <typename T>
  void operator()(T* it) const {
    kFree(it);
  }
};
using ArchiveReader = std::unique_ptr<archive, ArchiveFree<archive_read_free>>;
using ArchiveWriter = std::unique_ptr<archive, ArchiveFree<archive_write_free>>;
using Entry = std::unique_ptr<archive_entry, ArchiveFree<archive_entry_free>>;

constexpr size_t kBlockBytes = 256 << 10;

Error archive_error(archive* from, const std::string& what) {
  const char* text = archive_error_string(from);
  return Error(ErrorKind::kFailed,
               "cannot " + what + ": " +
                   (text != nullptr ? text : "unknown error of libarchive"));
}

// libarchive's checks go from the working directory on: it is the target's
// parent as long as this lives.
class InDirectory {
 public:
  explicit InDirectory(const fs::path& path)
      : before_(File::open(".", O_RDONLY | O_DIRECTORY)) {
    if (::chdir(path.c_str()) != 0)
      throw system_error(errno, "write to " + path.string());
  }
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  ~InDirectory() {
    // It was the working directory a moment ago.
    if (::fchdir(before_.fd()) != 0) return;
  }

 private:
  File before_;
};

class Extraction {
 public:
  // Files come to be below `top`, relative to the working directory; empty
  // for the directory itself.
  Extraction(std::string top, CopyNotes& notes)
      : top_(std::move(top)), notes_(notes), writer_(archive_write_disk_new()) {
    int flags = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
                ARCHIVE_EXTRACT_SPARSE | ARCHIVE_EXTRACT_UNLINK |
                ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
    if (::geteuid() == 0) flags |= ARCHIVE_EXTRACT_OWNER;
    if (!writer_ ||
        archive_write_disk_set_options(writer_.get(), flags) != ARCHIVE_OK)
      throw Error(ErrorKind::kFailed, "cannot prepare to write files");
  }

  void tree(int fd) {
    const ArchiveReader reader(archive_read_new());
    archive_read_support_format_tar(reader.get());
    if (archive_read_open_fd(reader.get(), fd, kBlockBytes) != ARCHIVE_OK)
      throw archive_error(reader.get(), "read the guest's files");
    archive_entry* entry = nullptr;
    int state = ARCHIVE_OK;
    while ((state = archive_read_next_header(reader.get(), &entry)) !=
           ARCHIVE_EOF) {
      check_stop();
      if (state < ARCHIVE_WARN)
        throw archive_error(reader.get(), "read the guest's files");
      place(entry);
      if (!begin(entry)) continue;
      blocks(reader.get());
      end(entry);
    }
  }

  // A file alone: `entry` says all but its name.
  void file(archive_entry* entry, int fd) {
    archive_entry_set_pathname(entry, top_.c_str());
    if (!begin(entry)) return;
    if (fd >= 0) bytes(fd, static_cast<uint64_t>(archive_entry_size(entry)));
    end(entry);
  }

  // Sets the times of directories, too.
  void finish() {
    if (archive_write_close(writer_.get()) < ARCHIVE_WARN)
      throw archive_error(writer_.get(), "write " + top_);
  }

 private:
  std::string placed(const char* name) const {
    std::string path = name != nullptr ? name : "";
    while (path.starts_with("./")) path.erase(0, 2);
    while (path.ends_with("/")) path.pop_back();
    if (path == ".") path.clear();
    if (top_.empty()) return path.empty() ? "." : path;
    return path.empty() ? top_ : top_ + "/" + path;
  }

  void place(archive_entry* entry) const {
    archive_entry_set_pathname(entry,
                               placed(archive_entry_pathname(entry)).c_str());
    const char* link = archive_entry_hardlink(entry);
    if (link != nullptr)
      archive_entry_set_hardlink(entry, placed(link).c_str());
  }

  // Whether there is data to come.
  bool begin(archive_entry* entry) {
    const int state = archive_write_header(writer_.get(), entry);
    note(state, entry);
    ++notes_.files;
    return state >= ARCHIVE_WARN;
  }

  void end(archive_entry* entry) {
    note(archive_write_finish_entry(writer_.get()), entry);
  }

  void note(int state, archive_entry* entry) {
    if (state == ARCHIVE_OK) return;
    const char* name = archive_entry_pathname(entry);
    const Error error = archive_error(
        writer_.get(), std::string("write ") + (name != nullptr ? name : "?"));
    const int code = archive_errno(writer_.get());
    if (state == ARCHIVE_FATAL || code == ENOSPC || code == EDQUOT ||
        code == EIO || code == EROFS)
      throw error;
    (state == ARCHIVE_WARN ? notes_.incomplete : notes_.missing)
        .emplace_back(error.what());
  }

  void blocks(archive* reader) {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    int state = ARCHIVE_OK;
    while ((state = archive_read_data_block(reader, &data, &size, &offset)) !=
           ARCHIVE_EOF) {
      check_stop();
      if (state < ARCHIVE_WARN)
        throw archive_error(reader, "read the guest's files");
      if (archive_write_data_block(writer_.get(), data, size, offset) <
          ARCHIVE_WARN)
        throw archive_error(writer_.get(), "write files");
    }
  }

  void bytes(int fd, uint64_t most) {
    std::vector<char> buffer(kBlockBytes);
    la_int64_t offset = 0;
    while (static_cast<uint64_t>(offset) < most) {
      check_stop();
      const ssize_t got = ::read(fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw system_error(errno, "read the guest's file");
      if (got == 0) {
        throw Error(ErrorKind::kFailed,
                    "cannot copy " + top_ + ": it ended too early");
      }
      if (archive_write_data_block(writer_.get(), buffer.data(),
                                   static_cast<size_t>(got),
                                   offset) < ARCHIVE_WARN)
        throw archive_error(writer_.get(), "write " + top_);
      offset += got;
    }
  }

  const std::string top_;
  CopyNotes& notes_;
  const ArchiveWriter writer_;
};

Entry entry_of(const GuestFile& file) {
  Entry entry(archive_entry_new());
  archive_entry_set_mode(entry.get(), file.mode);
  archive_entry_set_uid(entry.get(), static_cast<la_int64_t>(file.uid));
  archive_entry_set_gid(entry.get(), static_cast<la_int64_t>(file.gid));
  archive_entry_set_mtime(entry.get(), file.modified.seconds,
                          static_cast<long>(file.modified.nanoseconds));
  if (S_ISREG(file.mode))
    archive_entry_set_size(entry.get(),
                           static_cast<la_int64_t>(file.size_bytes));
  if (S_ISLNK(file.mode))
    archive_entry_set_symlink(entry.get(), file.target.c_str());
  return entry;
}

// libarchive sets no "system." attributes, in which the kernel shows ACLs.
void set_acls(const std::string& path,
              const std::vector<GuestView::Attribute>& attributes,
              CopyNotes& notes) {
  for (const auto& one : attributes) {
    if (!one.name.starts_with("system.posix_acl_")) continue;
    if (::lsetxattr(path.c_str(), one.name.c_str(), one.value.data(),
                    one.value.size(), 0) != 0)
      notes.incomplete.emplace_back(
          system_error(errno, "set the ACL of " + path).what());
  }
}

void copy_single(GuestView& guest, const std::string& path,
                 const GuestFile& file, const std::string& name,
                 CopyNotes& notes) {
  const Entry entry = entry_of(file);
  const auto attributes = guest.attributes(path);
  for (const auto& one : attributes) {
    if (one.name.starts_with("system.")) continue;
    archive_entry_xattr_add_entry(entry.get(), one.name.c_str(),
                                  one.value.data(), one.value.size());
  }
  Extraction extraction(name, notes);
  if (S_ISREG(file.mode)) {
    guest.read_file(path, [&](int fd) { extraction.file(entry.get(), fd); });
  } else {
    extraction.file(entry.get(), -1);
  }
  extraction.finish();
  set_acls(name, attributes, notes);
}

}  // namespace

void copy_out(GuestView& guest, const std::string& path,
              const std::string& target, bool into, CopyNotes& notes) {
  const GuestFile file = guest.stat(path);
  const fs::path absolute = fs::absolute(target).lexically_normal();
  const InDirectory here(into ? absolute : absolute.parent_path());
  const std::string name = into ? "" : absolute.filename().string();
  if (!S_ISDIR(file.mode)) return copy_single(guest, path, file, name, notes);
  Extraction extraction(name, notes);
  guest.read_tree(path, [&](int fd) { extraction.tree(fd); });
  extraction.finish();
}

}  // namespace backstitch::engine
