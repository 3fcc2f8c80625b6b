// What there is without libguestfs: one clear word.
#include "format/base/error.h"
#include "src/files/guest.h"

namespace backstitch::engine {

void require_guests() {
  throw Error(ErrorKind::kUnsupported,
              "this backstitch was built without libguestfs: install "
              "libguestfs-dev and libarchive-dev (Debian's names) and build it "
              "again with -Dlibguestfs=enabled");
}

std::unique_ptr<GuestView> start_guest(const std::vector<GuestDisk>&) {
  require_guests();
  return nullptr;
}

void copy_out(GuestView&, const std::string&, const std::string&, bool,
              CopyNotes&) {
  require_guests();
}

}  // namespace backstitch::engine
