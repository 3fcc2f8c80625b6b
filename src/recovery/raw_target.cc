// Raw files and block devices as targets.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/base/units.h"
#include "src/recovery/image_target.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

// What a device is looked at to see whether it is empty: partition tables and
// the headers of file systems lie here.
constexpr uint64_t kLookedAt = 1 << 20;

// A device has no such lock, and can do more at once than one thread asks for.
constexpr unsigned kWritesToDevice = 4;

class FileWriter : public TargetWriter {
 public:
  FileWriter(const File& file, Durability durability)
      : file_(file), durability_(durability) {}

  void write(uint64_t offset, ByteView bytes) override {
    file_.write_at(offset, bytes);
    // Else all of it would be left for the one sync at the end.
    if (durability_ == Durability::kSynced)
      file_.start_writeback(offset, bytes.size());
  }

 private:
  const File& file_;
  const Durability durability_;
};

class RawTarget : public ImageTarget {
 public:
  RawTarget(File file, bool is_device, Durability durability)
      : file_(std::move(file)),
        is_device_(is_device),
        durability_(durability) {}

  std::unique_ptr<TargetWriter> open_writer() override {
    return std::make_unique<FileWriter>(file_, durability_);
  }
  // Linux lets one in at a time to write a file: the others would not sleep
  // but spin on its lock, each on a core that has a chunk to decode.
  unsigned writes_at_once() const override {
    return is_device_ ? kWritesToDevice : 1;
  }
  void skip(uint64_t offset, uint64_t length) override {
    if (is_device_) file_.punch_hole(offset, length);
  }
  void finish() override {
    if (durability_ == Durability::kSynced) file_.sync();
  }

 private:
  const File file_;
  const bool is_device_;  // its bytes are whatever they were
  const Durability durability_;
};

// O_EXCL on a device means: nobody else has claimed it (open(2)).
File claim_device(const fs::path& path) {
  try {
    return File::open(path, O_RDWR | O_EXCL);
  } catch (const Error& error) {
    if (error.system_errno() != EBUSY) throw;
    throw Error(ErrorKind::kBusy,
                path.string() + " is mounted or otherwise in use", EBUSY);
  }
}

void check_device(const File& device, uint64_t size_bytes, bool overwrite) {
  uint64_t capacity = 0;
  if (::ioctl(device.fd(), BLKGETSIZE64, &capacity) != 0)
    throw system_error(errno, "learn the size of " + device.path().string());
  if (capacity < size_bytes) {
    throw Error(ErrorKind::kUsage,
                device.path().string() + " has " + std::to_string(capacity) +
                    " bytes (" + format_bytes(capacity) + "), the disk needs " +
                    std::to_string(size_bytes) + " (" +
                    format_bytes(size_bytes) + ")");
  }
  if (overwrite) return;
  Bytes begin(std::min(kLookedAt, capacity));
  device.read_at(0, begin);
  if (!all_zero(begin)) {
    throw Error(ErrorKind::kUsage, device.path().string() +
                                       " is not empty; --force overwrites it");
  }
}

}  // namespace

std::unique_ptr<ImageTarget> raw_file_target(const fs::path& path,
                                             uint64_t size_bytes,
                                             Durability durability) {
  File file = File::open(path, O_RDWR);
  if (::ftruncate(file.fd(), static_cast<off_t>(size_bytes)) != 0) {
    throw system_error(errno, "give " + path.string() + " its size of " +
                                  format_bytes(size_bytes));
  }
  return std::make_unique<RawTarget>(std::move(file), false, durability);
}

std::unique_ptr<ImageTarget> block_device_target(const fs::path& path,
                                                 uint64_t size_bytes,
                                                 bool overwrite,
                                                 Durability durability) {
  File device = claim_device(path);
  check_device(device, size_bytes, overwrite);
  return std::make_unique<RawTarget>(std::move(device), true, durability);
}

}  // namespace backstitch::engine
