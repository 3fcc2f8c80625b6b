#include "src/cli/repair_live.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/image/image_probe.h"
#include "src/image/qemu_nbd.h"
#include "src/nbd/nbd_source.h"

namespace backstitch::cli {

namespace {

using format::kChunkBytes;

class Live : public format::LiveContent {
 public:
  Live(std::string disk, std::string file)
      : disk_(std::move(disk)), file_(std::move(file)) {}

  std::string name() const override { return file_; }

  // What cannot be read is only not found here: others may have it.
  bool read_chunk(const std::string& disk, uint64_t chunk,
                  std::span<std::byte> out) override {
    const uint64_t begin = chunk * kChunkBytes;
    if (disk != disk_ || begin >= size_bytes()) return false;
    const uint64_t length = std::min(kChunkBytes, size_bytes() - begin);
    std::ranges::fill(out, std::byte{0});
    try {
      read_at(begin, out.first(length));
      return true;
    } catch (const Error&) {
      return false;
    }
  }

 protected:
  virtual uint64_t size_bytes() const = 0;
  virtual void read_at(uint64_t offset, std::span<std::byte> out) = 0;

 private:
  const std::string disk_;
  const std::string file_;
};

class RawLive : public Live {
 public:
  RawLive(const std::string& disk, const std::string& path)
      : Live(disk, path), file_(File::open(path, O_RDONLY)) {
    // A block device has no size but this.
    const off_t end = ::lseek(file_.fd(), 0, SEEK_END);
    if (end < 0) throw system_error(errno, "find the end of " + path);
    size_ = static_cast<uint64_t>(end);
  }

 protected:
  uint64_t size_bytes() const override { return size_; }
  void read_at(uint64_t offset, std::span<std::byte> out) override {
    file_.read_at(offset, out);
  }

 private:
  const File file_;
  uint64_t size_ = 0;
};

class NbdLive : public Live {
 public:
  NbdLive(const std::string& disk, const std::string& path,
          const std::string& format)
      : Live(disk, path),
        server_(path, {format, "", false}),
        source_(server_.address(), {}),
        reader_(source_.open_reader()) {}

 protected:
  uint64_t size_bytes() const override { return source_.size_bytes(); }
  void read_at(uint64_t offset, std::span<std::byte> out) override {
    int tag = 0;
    reader_->start(offset, out, &tag);
    for (std::vector<void*> done; done.empty();) reader_->wait(done);
  }

 private:
  engine::QemuNbd server_;
  engine::NbdSource source_;
  const std::unique_ptr<engine::BlockReader> reader_;
};

}  // namespace

std::unique_ptr<format::LiveContent> open_live(const std::string& disk,
                                               const std::string& file,
                                               const std::string& format) {
  std::string known = format;
  if (known.empty())
    known = engine::probe_images({{disk, file, ""}}).at(0).format;
  if (known == "raw") return std::make_unique<RawLive>(disk, file);
  return std::make_unique<NbdLive>(disk, file, known);
}

}  // namespace backstitch::cli
