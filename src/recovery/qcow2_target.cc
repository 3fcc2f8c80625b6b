// A new qcow2 image as a target, written through a qemu-nbd of our own.
#include <fcntl.h>

#include "format/base/file.h"
#include "src/image/qemu_img.h"
#include "src/image/qemu_nbd.h"
#include "src/recovery/image_target.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

class NbdWriter : public TargetWriter {
 public:
  NbdWriter(QemuNbd& server, fs::path path)
      : path_(std::move(path)), connection_(server.address(), {}) {}

  void write(uint64_t offset, ByteView bytes) override {
    if (nbd_pwrite(connection_.get(), bytes.data(), bytes.size(), offset, 0) ==
        -1) {
      throw nbd_failure("write " + path_.string() + " at offset " +
                        std::to_string(offset));
    }
  }

 private:
  const fs::path path_;
  const NbdConnection connection_;
};

class Qcow2Target : public ImageTarget {
 public:
  Qcow2Target(const fs::path& path, fs::path data_file, Durability durability)
      : path_(path),
        data_file_(std::move(data_file)),
        durability_(durability),
        server_(path, {.format = "qcow2", .bitmap = "", .writable = true}) {}

  std::unique_ptr<TargetWriter> open_writer() override {
    return std::make_unique<NbdWriter>(server_, path_);
  }
  // One on its way to qemu-nbd while another goes to the file, which takes one
  // at a time (as raw_target.cc says).
  unsigned writes_at_once() const override { return 2; }
  void skip(uint64_t, uint64_t) override {}  // a new image is all zero
  void finish() override {
    flush();
    server_.finish();
    if (durability_ != Durability::kSynced) return;
    if (!data_file_.empty()) File::open(data_file_, O_RDONLY).sync();
    File::open(path_, O_RDONLY).sync();
  }

 private:
  // qemu-nbd keeps the image's tables to itself until it is told to flush, and
  // says nothing when it cannot write them as it ends.
  void flush() {
    const NbdConnection connection(server_.address(), {});
    if (nbd_flush(connection.get(), 0) == -1)
      throw server_.explain(nbd_failure("write the tables of the image"));
  }

  const fs::path path_;
  const fs::path data_file_;  // empty: none
  const Durability durability_;
  QemuNbd server_;
};

}  // namespace

std::unique_ptr<ImageTarget> qcow2_target(const fs::path& path,
                                          uint64_t size_bytes,
                                          Durability durability,
                                          const Qcow2Options& options) {
  create_qcow2(path, size_bytes, options);
  return std::make_unique<Qcow2Target>(path, options.data_file, durability);
}

}  // namespace backstitch::engine
