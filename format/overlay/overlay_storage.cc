#include "format/overlay/overlay_storage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "format/repository/writer_lock.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = ".lock";
constexpr const char* kJournal = ".journal";
constexpr const char* kBlocks = ".blocks";
// A journal is written anew when it is both long and mostly out of date.
constexpr uint64_t kLongJournal = 4 << 20;

void set_length(const File& file, uint64_t bytes) {
  if (::ftruncate(file.fd(), static_cast<off_t>(bytes)) != 0) {
    throw system_error(errno, "make " + file.path().string() + " " +
                                  format_bytes(bytes) + " long");
  }
}

// True when it was not there before.
bool make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return true;
  if (errno != EEXIST) throw system_error(errno, "create " + path.string());
  return false;
}

fs::path with_suffix(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

void check_identity(const fs::path& path, const OverlayIdentity& found,
                    const OverlayIdentity& wanted) {
  if (found == wanted) return;
  std::string why = "another disk";
  if (found.repository != wanted.repository) {
    why = "a point of another repository (" + found.repository + ")";
  } else if (found.point_id != wanted.point_id) {
    why = "another point, which had the same number before it was deleted";
  } else if (found.size_bytes != wanted.size_bytes) {
    why = "a disk of " + format_bytes(found.size_bytes);
  }
  throw Error(ErrorKind::kUsage, path.string() + ": is an overlay of " + why);
}

std::vector<fs::path> listed(const fs::path& path) {
  std::vector<fs::path> found;
  std::error_code code;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end;
       entry.increment(code))
    found.push_back(entry->path());
  if (code) throw system_error(code.value(), "read " + path.string());
  std::ranges::sort(found);
  return found;
}

}  // namespace

OverlayStorage make_temporary_overlay(uint64_t size_bytes) {
  const char* wanted = std::getenv("TMPDIR");
  const fs::path directory =
      wanted != nullptr && *wanted != '\0' ? wanted : "/var/tmp";
  OverlayStorage storage;
  const int fd =
      ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    storage.blocks = File(Fd(fd), directory / "(a temporary overlay)");
  } else {
    std::string name = directory / "backstitch-overlay-XXXXXX";
    Fd named(::mkostemp(name.data(), O_CLOEXEC));
    if (!named) throw system_error(errno, "create a temporary overlay " + name);
    ::unlink(name.c_str());
    storage.blocks = File(std::move(named), name);
  }
  set_length(storage.blocks, size_bytes);
  return storage;
}

OverlayDirectory OverlayDirectory::open(const fs::path& path, bool may_create) {
  if (may_create && make_directory(path)) sync_directory(path.parent_path());
  const fs::path lock_path = path / kLockName;
  std::error_code code;
  if (!fs::exists(lock_path, code) && (!may_create || !listed(path).empty())) {
    throw Error(
        fs::exists(path, code) ? ErrorKind::kUsage : ErrorKind::kNotFound,
        path.string() + ": is not a directory of overlays" +
            (may_create ? ", and it is not empty" : ""));
  }
  File lock = File::open(lock_path, O_RDWR | O_CREAT);
  if (::flock(lock.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      throw system_error(errno, "lock " + lock_path.string());
    const std::string holders = lock_holders(lock);
    throw Error(ErrorKind::kBusy, path.string() + ": the overlay is in use" +
                                      (holders.empty() ? "" : ": " + holders));
  }
  return {path, std::move(lock)};
}

std::vector<OverlayDirectory::Entry> OverlayDirectory::entries() const {
  std::vector<Entry> found;
  for (const fs::path& domain : listed(path_)) {
    if (!fs::is_directory(domain)) continue;
    for (const fs::path& point : listed(domain)) {
      const uint32_t number = point_number(point.filename().string());
      if (number == 0) continue;
      for (const fs::path& file : listed(point)) {
        if (file.extension() == kJournal)
          found.push_back(
              {domain.filename().string(), number, file.stem().string()});
      }
    }
  }
  return found;
}

fs::path OverlayDirectory::journal_path(const Entry& entry) const {
  return path_ / entry.domain / point_name(entry.point) /
         with_suffix(entry.disk, kJournal);
}

OverlayStorage OverlayDirectory::load(const Entry& entry,
                                      const OverlayIdentity& identity) const {
  const fs::path path = journal_path(entry);
  OverlayStorage storage;
  storage.journal = OverlayJournal::open(path);
  check_identity(path, storage.journal->identity(), identity);
  storage.blocks =
      File::open(path.parent_path() / with_suffix(entry.disk, kBlocks), O_RDWR);
  if (storage.blocks.size() != identity.size_bytes) {
    throw Error(ErrorKind::kDamaged, storage.blocks.path().string() +
                                         ": is not as long as the disk");
  }
  storage.map = storage.journal->replay();
  // A block's worth of journal a block written would be a lot.
  if (storage.journal->length() > kLongJournal &&
      storage.journal->length() / 64 > storage.map.data_blocks()) {
    storage.journal = OverlayJournal::create(path, identity, storage.map);
  }
  return storage;
}

OverlayStorage OverlayDirectory::create(const Entry& entry,
                                        const OverlayIdentity& identity) const {
  const fs::path path = journal_path(entry);
  const fs::path directory = path.parent_path();
  if (make_directory(directory.parent_path())) sync_directory(path_);
  if (make_directory(directory)) sync_directory(directory.parent_path());
  OverlayStorage storage;
  // One that has no journal is what a crash left.
  storage.blocks = File::open(directory / with_suffix(entry.disk, kBlocks),
                              O_RDWR | O_CREAT | O_TRUNC);
  set_length(storage.blocks, identity.size_bytes);
  storage.blocks.sync();
  storage.journal = OverlayJournal::create(path, identity, {});
  return storage;
}

void OverlayDirectory::remove(const std::string& domain, uint32_t point) const {
  const fs::path directory = path_ / domain / point_name(point);
  // Journals first: a file of blocks without one is nothing.
  for (const fs::path& file : listed(directory))
    if (file.extension() == kJournal) remove_tree(file);
  sync_directory(directory);
  remove_tree(directory);
  std::error_code not_empty;
  fs::remove(directory.parent_path(), not_empty);
}

}  // namespace backstitch::format
