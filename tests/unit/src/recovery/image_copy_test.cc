#include "src/recovery/image_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "format/base/file.h"
#include "src/recovery/restore.h"
#include "tests/support/expect_error.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace backstitch::engine {
namespace {

using backstitch::test::expect_error;
using test::Random;

constexpr uint64_t kGrain = 65536;

// An image in memory whose holes are found a grain at a time.
class MemoryImage : public format::DiskImage {
 public:
  explicit MemoryImage(Random& random) {
    content_.resize(random.below(80 * 128) * 512);
    for (uint64_t at = 0; at < content_.size();) {
      const uint64_t end = std::min<uint64_t>(
          content_.size(), at + (1 + random.below(20)) * kGrain);
      const auto value =
          static_cast<std::byte>(random.chance(2) ? 0 : 1 + random.below(255));
      std::fill(content_.begin() + static_cast<ptrdiff_t>(at),
                content_.begin() + static_cast<ptrdiff_t>(end), value);
      at = end;
    }
  }

  uint64_t size() const override { return content_.size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (fail) throw Error(ErrorKind::kDamaged, "the image is damaged");
    std::memcpy(out.data(), content_.data() + offset, out.size());
  }
  uint64_t next_data(uint64_t offset) const override {
    while (offset < size() && content_[offset] == std::byte{0})
      offset += kGrain - offset % kGrain;
    return std::min(offset, size());
  }
  uint64_t next_hole(uint64_t offset) const override {
    while (offset < size() && content_[offset] != std::byte{0})
      offset += kGrain - offset % kGrain;
    return std::min(offset, size());
  }
  uint64_t data_bytes() const override { return size(); }

  const Bytes& content() const { return content_; }
  bool fail = false;

 private:
  Bytes content_;
};

// Remembers what is written, and that nothing is written or skipped twice.
class MemoryTarget : public ImageTarget {
 public:
  explicit MemoryTarget(uint64_t size) : content(size), seen_(size) {}
  std::unique_ptr<TargetWriter> open_writer() override {
    return std::make_unique<Writer>(*this);
  }
  unsigned writes_at_once() const override { return most_writes; }
  void skip(uint64_t offset, uint64_t length) override { mark(offset, length); }
  void finish() override {}

  bool all_seen() const {
    return std::ranges::all_of(seen_, [](int times) { return times == 1; });
  }
  Bytes content;
  unsigned most_writes = 3;
  std::atomic<bool> too_many_writes = false;

 private:
  class Writer : public TargetWriter {
   public:
    explicit Writer(MemoryTarget& target) : target_(target) {}
    void write(uint64_t offset, ByteView bytes) override {
      if (++target_.writes_ > target_.most_writes)
        target_.too_many_writes = true;
      std::memcpy(target_.content.data() + offset, bytes.data(), bytes.size());
      target_.mark(offset, bytes.size());
      --target_.writes_;
    }

   private:
    MemoryTarget& target_;
  };
  // Ranges of different threads are disjoint, or the test fails.
  void mark(uint64_t offset, uint64_t length) {
    for (uint64_t i = offset; i < offset + length; ++i) ++seen_[i];
  }
  std::vector<uint8_t> seen_;
  std::atomic<unsigned> writes_ = 0;
};

TEST(ImageCopy, CoversEveryByteOnce) {
  for (uint64_t stream = 0; stream < 100; ++stream) {
    Random random(stream);
    const MemoryImage image(random);
    MemoryTarget target(image.size());
    target.most_writes = 1 + static_cast<unsigned>(stream % 2);
    Progress progress;
    copy_image(image, target, progress, 3);
    ASSERT_FALSE(target.too_many_writes);
    ASSERT_TRUE(target.content == image.content());
    ASSERT_TRUE(target.all_seen());
  }
}

class RestoreImageTest : public ::testing::Test {
 protected:
  RestoreImageTest() : random_(1), image_(with_data(random_)) {}

  // One of which something is read.
  static MemoryImage with_data(Random& random) {
    while (true) {
      MemoryImage image(random);
      if (image.next_data(0) < image.size()) return image;
    }
  }

  void restore(bool overwrite = false) {
    Progress progress;
    RestoreOptions options;
    options.overwrite = overwrite;
    restore_image(image_, "vda", path_, options, progress);
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(
        std::filesystem::directory_iterator(directory_.path()), {}));
  }

  Random random_;
  MemoryImage image_;
  test::TempDir directory_;
  const std::filesystem::path path_ = directory_.path() / "vda.raw";
};

TEST_F(RestoreImageTest, MakesTheFile) {
  restore();
  const File file = File::open(path_, O_RDONLY);
  ASSERT_EQ(file.size(), image_.size());
  Bytes content(image_.size());
  file.read_at(0, content);
  EXPECT_TRUE(content == image_.content());
  EXPECT_EQ(files(), 1U);
}

TEST_F(RestoreImageTest, OverwritesOnlyWhenTold) {
  write_new_file(path_, "precious");
  expect_error(ErrorKind::kUsage, "--force", [&] { restore(); });
  EXPECT_EQ(read_text(path_), "precious");
  restore(true);
  EXPECT_EQ(File::open(path_, O_RDONLY).size(), image_.size());
}

TEST_F(RestoreImageTest, AFailureLeavesNothing) {
  image_.fail = true;
  expect_error(ErrorKind::kDamaged, "damaged", [&] { restore(); });
  EXPECT_EQ(files(), 0U);
  write_new_file(path_, "precious");
  expect_error(ErrorKind::kDamaged, "damaged", [&] { restore(true); });
  EXPECT_EQ(read_text(path_), "precious");
}

}  // namespace
}  // namespace backstitch::engine
