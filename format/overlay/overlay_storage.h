// What an overlay consists of: the file of blocks, and the journal that says
// which of its blocks count.
#pragma once

#include <optional>

#include "format/overlay/overlay_journal.h"

namespace backstitch::format {

// Move-only.
struct OverlayStorage {
  // Sparse, as long as the disk, each block at the disk's own offset.
  File blocks;
  // Without a journal nothing is kept: the overlay ends with the process.
  std::optional<OverlayJournal> journal;
  BlockMap map;
};

// An overlay in a file without a name, which is gone with the process however
// that ends. It lies in $TMPDIR, else in /var/tmp.
OverlayStorage make_temporary_overlay(uint64_t size_bytes);

// A directory of overlays: of any number of points of one repository.
//
//   DIR/.lock
//   DIR/DOMAIN/000007/vda.journal
//   DIR/DOMAIN/000007/vda.blocks
//
// It is locked while the object lives. Move-only; const functions are
// thread-safe, but for two that name the same disk.
class OverlayDirectory {
 public:
  // Makes it (0700) when it is not there and `may_create`. Throws kBusy, naming
  // who uses it, kUsage when it is another kind of directory, and kNotFound.
  static OverlayDirectory open(const std::filesystem::path& path,
                               bool may_create);

  const std::filesystem::path& path() const { return path_; }

  struct Entry {
    std::string domain;
    uint32_t point = 0;
    std::string disk;
  };
  // Overlays that there are, ordered by domain, point and disk.
  std::vector<Entry> entries() const;
  // Where an overlay's journal lies, for messages.
  std::filesystem::path journal_path(const Entry& entry) const;
  // Throws kNotFound, kDamaged and kUnsupported; kUsage when the overlay is not
  // one of `identity`.
  OverlayStorage load(const Entry& entry,
                      const OverlayIdentity& identity) const;
  // An empty overlay; there must be none. After a throw there is none.
  OverlayStorage create(const Entry& entry,
                        const OverlayIdentity& identity) const;
  // Removes all overlays of a point.
  void remove(const std::string& domain, uint32_t point) const;

 private:
  OverlayDirectory(std::filesystem::path path, File lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  File lock_;
};

}  // namespace backstitch::format
