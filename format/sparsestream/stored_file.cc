#include "format/sparsestream/stored_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "format/base/error.h"

namespace backstitch::format {

FileStamp stamp_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw system_error(errno, "examine " + path.string());
  return {static_cast<uint64_t>(status.st_dev),
          static_cast<uint64_t>(status.st_ino),
          static_cast<uint64_t>(status.st_size),
          static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
              status.st_mtim.tv_nsec};
}

StoredFile::StoredFile(StoredPlace place)
    : place_(std::move(place)), file_(File::open(place_.path, O_RDONLY)) {
  const uint64_t size = file_.size();
  if (place_.offset > size || place_.length > size - place_.offset) {
    throw Error(ErrorKind::kDamaged, place_.name +
                                         ": reaches beyond the end of " +
                                         place_.path.string() + " (" +
                                         std::to_string(size) + " bytes)");
  }
}

void StoredFile::read_at(uint64_t offset, std::span<std::byte> out) const {
  if (offset > size() || out.size() > size() - offset) {
    throw Error(ErrorKind::kDamaged,
                place_.name + ": ends at " + std::to_string(size()) +
                    ", before the " + std::to_string(out.size()) +
                    " bytes at offset " + std::to_string(offset));
  }
  file_.read_at(place_.offset + offset, out);
}

std::string StoredFile::text(uint64_t limit) const {
  if (size() > limit) {
    throw Error(ErrorKind::kDamaged, place_.name + ": is too long (" +
                                         std::to_string(size()) + " bytes)");
  }
  std::string bytes(size(), '\0');
  read_at(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

}  // namespace backstitch::format
