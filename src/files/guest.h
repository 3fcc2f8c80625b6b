// The file systems of a machine's disks, as a guest would see them.
//
// All of them are read by the kernel of libguestfs's appliance, a machine of
// its own; never by that of the host. The images are not changed: what a file
// system writes when it is mounted (it replays its journal, say) goes to an
// overlay that is dropped at the end.
//
// Paths are those of the guest, absolute, and bytes: not always UTF-8.
// Symbolic links on the way are followed inside the guest; the last part is
// followed where that is said.
//
// One thread at a time. Failures are Errors; kInterrupted when a stop was asked
// for (src/base/stop.h), which ends whatever the appliance is doing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace backstitch::engine {

struct GuestDisk {
  std::string name;   // "vda"
  std::string image;  // path of the raw image
};

// A choice of the user's: DEVICE[:MOUNTPOINT].
struct GuestMount {
  std::string device;  // "vda2", "/dev/vda2", "vg/lv", "btrfsvol:/dev/vda2/x"
  std::string mount_point = "/";
};

struct GuestFileSystem {
  std::string device;  // "/dev/vda2", "/dev/vg/lv": as the guest calls it
  std::string type;    // "ext4", …; "unknown"
  std::string label;
  std::string uuid;
  uint64_t size_bytes = 0;
  // Where the operating system on these disks has it; empty when nowhere.
  std::string mount_point;
};

struct GuestTime {
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  auto operator<=>(const GuestTime&) const = default;
};

// What lstat(2) tells.
struct GuestFile {
  std::string path;     // relative to the directory that was asked for
  uint64_t device = 0;  // tells file systems apart
  uint64_t inode = 0;
  mode_t mode = 0;
  uint64_t links = 0;
  uint64_t uid = 0;
  uint64_t gid = 0;
  uint64_t size_bytes = 0;
  GuestTime modified;
  GuestTime changed;
  std::string target;  // of a symbolic link
};

class GuestView {
 public:
  // Reads a stream to its end from a descriptor, on a thread of its own. What
  // it throws ends the stream and is thrown by the call that made it.
  using Reader = std::function<void(int fd)>;

  virtual ~GuestView() = default;

  // All file systems, swap and what is encrypted among them.
  virtual std::vector<GuestFileSystem> file_systems() = 0;
  // Mounts what was chosen; with no choice what an operating system on the
  // disks mounts, or else the only file system that there is. Call it once,
  // before all below. Throws kUsage where one must be chosen, kNotFound where
  // there is none. Gives a warning for each file system that the operating
  // system names and that cannot be mounted.
  virtual std::vector<std::string> mount(
      const std::vector<GuestMount>& chosen) = 0;

  // Does not follow; `path` in the result is empty. Throws kNotFound.
  virtual GuestFile stat(const std::string& path) = 0;
  // What a path leads to: without symbolic links. Throws kNotFound.
  virtual std::string real_path(const std::string& path) = 0;
  // What is in a directory, by name.
  virtual std::vector<GuestFile> list(const std::string& directory) = 0;
  // All that is below a directory, itself not; by path. `targets`: with those
  // of symbolic links.
  virtual std::vector<GuestFile> walk(const std::string& directory,
                                      bool targets) = 0;
  // The bytes of a regular file; follows. Throws kUsage for what is none.
  virtual void read_file(const std::string& path, const Reader& reader) = 0;
  // A directory as a tar stream (GNU pax, names begin with "./") with numeric
  // owners, extended attributes and ACLs.
  virtual void read_tree(const std::string& directory,
                         const Reader& reader) = 0;
  struct Attribute {
    std::string name;
    std::string value;
  };
  // Extended attributes; does not follow.
  virtual std::vector<Attribute> attributes(const std::string& path) = 0;
  // SHA-256 of a file's bytes.
  virtual std::string checksum(const std::string& path) = 0;

  // Shows it all, read-only, on a directory of the host through FUSE, until
  // that is unmounted or a stop is asked for. `mount_options`: of FUSE.
  virtual void serve(const std::string& directory,
                     const std::string& mount_options) = 0;
};

// Throws kUnsupported where this was built without libguestfs.
void require_guests();

// Starts the appliance with these disks. Environment variables LIBGUESTFS_*
// say how, where the user set them. Throws kUnsupported as require_guests(),
// kFailed when the appliance does not start.
std::unique_ptr<GuestView> start_guest(const std::vector<GuestDisk>& disks);

// What could not be made as it was, or at all.
struct CopyNotes {
  uint64_t files = 0;
  std::vector<std::string> incomplete;  // "etc/x: cannot set owner"
  std::vector<std::string> missing;
};

// Copies a file or a tree out to `target`, which must not be there yet (its
// parent must), with modes, times, extended attributes, hard links and holes,
// and for root with owners. With `into` the content of a directory goes into
// `target`, which is there. Never writes outside of it, whatever the guest's
// names and links are. Throws kNotFound.
void copy_out(GuestView& guest, const std::string& path,
              const std::string& target, bool into, CopyNotes& notes);

}  // namespace backstitch::engine
