// The files of a copy of a point while they are written.
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "format/base/file.h"
#include "format/replication/stored_point.h"

namespace backstitch::format {

// A directory that is being filled with what a point of the source has.
struct CopyPlace {
  std::filesystem::path directory;
  StoredManifest stored;  // as in the source
  // What a deleted point left in the target, which is filled again; otherwise
  // a hidden directory of our own, perhaps begun by a run before.
  bool in_place = false;
};

// One thread. Files are opened when first needed, and made with header and
// length; what a run before wrote into them stays. Not more than some hundred
// are open at once.
class CopyFiles {
 public:
  struct Open {
    File file;
    bool is_new = false;  // made by this object: holds nothing yet
  };

  // The file for what `ref` names. Throws kDamaged when it lies beyond the end
  // of it, or when the file is somebody else's.
  const Open& at(const CopyPlace& place, const std::string& disk,
                 const Ref& ref);
  // Makes the files of all disks of a point.
  void create(const CopyPlace& place);
  // Everything on stable storage and closed; to be read from there again.
  void finish();

 private:
  using Key = std::tuple<uint32_t, std::string, FileKind>;
  const Open& open(const CopyPlace& place, const DiskManifest& disk,
                   FileKind kind);

  std::map<Key, Open> open_;
};

}  // namespace backstitch::format
