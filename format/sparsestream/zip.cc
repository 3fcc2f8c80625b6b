#include "format/sparsestream/zip.h"

#include <fcntl.h>

#include <algorithm>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr uint32_t kEntryMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kEnd64Magic = 0x06064b50;
constexpr uint32_t kLocator64Magic = 0x07064b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kEntryBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kLocator64Bytes = 20;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kMostComment = 65535;
constexpr uint64_t kMostDirectory = 64 << 20;

template <typename Integer>
Integer field(ByteView bytes, uint64_t offset) {
  if (offset > bytes.size() || sizeof(Integer) > bytes.size() - offset)
    throw Error(ErrorKind::kDamaged, "its directory is damaged");
  return load_le<Integer>(&bytes[offset]);
}

struct Directory {
  uint64_t offset = 0;
  uint64_t length = 0;
};

// A field of 32 bits, or the one of 64 that stands for it in the zip64 part of
// the entry's extra fields when all bits are set.
class WideFields {
 public:
  explicit WideFields(ByteView extra) {
    while (extra.size() >= 4) {
      const auto tag = field<uint16_t>(extra, 0);
      const auto length = field<uint16_t>(extra, 2);
      if (length > extra.size() - 4) return;
      if (tag == 1) wide_ = extra.subspan(4, length);
      extra = extra.subspan(4 + length);
    }
  }
  uint64_t next(uint32_t narrow) {
    if (narrow != UINT32_MAX) return narrow;
    const auto value = field<uint64_t>(wide_, 0);
    wide_ = wide_.subspan(sizeof value);
    return value;
  }

 private:
  ByteView wide_;
};

class ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path)
      : path_(path),
        stamp_(stamp_of(path)),
        file_(File::open(path, O_RDONLY)),
        size_(file_.size()) {}

  std::vector<ZipEntry> run() {
    const Directory directory = find_directory();
    if (directory.length > kMostDirectory)
      throw Error(ErrorKind::kUnsupported, "it has too many entries");
    const Bytes bytes = read(directory.offset, directory.length);
    ByteView rest = bytes;
    std::vector<ZipEntry> entries;
    while (rest.size() >= kEntryBytes &&
           field<uint32_t>(rest, 0) == kEntryMagic) {
      take_entry(rest, entries);
    }
    return entries;
  }

 private:
  Bytes read(uint64_t offset, uint64_t length) const {
    if (offset > size_ || length > size_ - offset)
      throw Error(ErrorKind::kDamaged, "its directory is damaged");
    Bytes bytes(length);
    file_.read_at(offset, bytes);
    return bytes;
  }

  Directory find_directory() const {
    const uint64_t length = std::min(size_, kEndBytes + kMostComment);
    const Bytes tail = read(size_ - length, length);
    for (uint64_t at = length; at-- > 0;) {
      if (length - at < kEndBytes || field<uint32_t>(tail, at) != kEndMagic)
        continue;
      const uint64_t end_at = size_ - length + at;
      const auto bytes = field<uint32_t>(tail, at + 12);
      const auto offset = field<uint32_t>(tail, at + 16);
      if (bytes == UINT32_MAX || offset == UINT32_MAX ||
          field<uint16_t>(tail, at + 10) == UINT16_MAX) {
        return find_directory64(end_at);
      }
      return {offset, bytes};
    }
    throw Error(ErrorKind::kDamaged,
                "is cut off: it has no directory at its end");
  }

  Directory find_directory64(uint64_t end_at) const {
    if (end_at < kLocator64Bytes)
      throw Error(ErrorKind::kDamaged, "its directory is damaged");
    const Bytes locator = read(end_at - kLocator64Bytes, kLocator64Bytes);
    if (field<uint32_t>(locator, 0) != kLocator64Magic)
      throw Error(ErrorKind::kDamaged, "its directory is damaged");
    const Bytes end = read(field<uint64_t>(locator, 8), kEnd64Bytes);
    if (field<uint32_t>(end, 0) != kEnd64Magic)
      throw Error(ErrorKind::kDamaged, "its directory is damaged");
    return {field<uint64_t>(end, 48), field<uint64_t>(end, 40)};
  }

  void take_entry(ByteView& rest, std::vector<ZipEntry>& entries) const {
    const uint64_t name_length = field<uint16_t>(rest, 28);
    const uint64_t extra_length = field<uint16_t>(rest, 30);
    const uint64_t total =
        kEntryBytes + name_length + extra_length + field<uint16_t>(rest, 32);
    if (total > rest.size())
      throw Error(ErrorKind::kDamaged, "its directory is damaged");
    std::string name(name_length, '\0');
    std::ranges::copy(rest.subspan(kEntryBytes, name_length),
                      std::as_writable_bytes(std::span(name)).begin());
    WideFields wide(rest.subspan(kEntryBytes + name_length, extra_length));
    const uint64_t length = wide.next(field<uint32_t>(rest, 24));
    const uint64_t stored = wide.next(field<uint32_t>(rest, 20));
    const uint64_t local = wide.next(field<uint32_t>(rest, 42));
    const bool is_encrypted = (field<uint16_t>(rest, 8) & 1) != 0;
    const bool is_stored =
        field<uint16_t>(rest, 10) == 0 && stored == length && !is_encrypted;
    rest = rest.subspan(total);
    if (name.empty() || name.back() == '/') return;
    ZipEntry entry;
    entry.is_stored = is_stored;
    entry.place = {.name = name.substr(name.rfind('/') + 1),
                   .path = path_,
                   .offset = is_stored ? data_at(local, name, length) : 0,
                   .length = length,
                   .in_zip = true,
                   .stamp = stamp_};
    entries.push_back(std::move(entry));
  }

  uint64_t data_at(uint64_t local, const std::string& name,
                   uint64_t length) const {
    const Bytes header = read(local, kLocalBytes);
    const uint64_t at = local + kLocalBytes + field<uint16_t>(header, 26) +
                        field<uint16_t>(header, 28);
    if (field<uint32_t>(header, 0) != kLocalMagic || at > size_ ||
        length > size_ - at) {
      throw Error(ErrorKind::kDamaged, "its entry " + name + " is damaged");
    }
    return at;
  }

  const std::filesystem::path path_;
  const FileStamp stamp_;
  File file_;
  uint64_t size_ = 0;
};

}  // namespace

std::vector<ZipEntry> read_zip(const std::filesystem::path& path) {
  try {
    return ZipReader(path).run();
  } catch (const Error& error) {
    if (error.system_errno() != 0) throw;
    throw add_context(error, path.string());
  }
}

}  // namespace backstitch::format
