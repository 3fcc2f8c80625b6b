// Overlays against flat copies of their disks, and what a crash or damage does
// to their files.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "format/base/error.h"
#include "format/overlay/overlay_image.h"
#include "tests/support/expect_error.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

using test::Random;

class FlatImage : public DiskImage {
 public:
  explicit FlatImage(Bytes bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    std::copy_n(bytes_.begin() + static_cast<long>(offset), out.size(),
                out.begin());
  }
  uint64_t next_data(uint64_t offset) const override { return offset; }
  uint64_t next_hole(uint64_t) const override { return size(); }
  uint64_t data_bytes() const override { return size(); }

 private:
  const Bytes bytes_;
};

Bytes random_bytes(Random& random, uint64_t length) {
  Bytes bytes(length);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.bits());
  return bytes;
}

class OverlayTest : public testing::Test {
 protected:
  static constexpr uint64_t kSize = (1 << 20) + 1234;

  OverlayTest()
      : random_(7),
        flat_(random_bytes(random_, kSize)),
        base_(std::make_shared<FlatImage>(flat_)) {
    identity_.repository = std::string(32, 'a');
    identity_.point = 7;
    identity_.disk = "vda";
    identity_.size_bytes = kSize;
    open_directory();
  }

  void open_directory() {
    overlays_.reset();
    overlays_ = std::make_unique<OverlayDirectory>(
        OverlayDirectory::open(path(), true));
  }
  std::filesystem::path path() const { return directory_.path() / "overlay"; }
  std::unique_ptr<OverlayImage> make() {
    return std::make_unique<OverlayImage>(
        base_, [this] { return overlays_->create(entry_, identity_); });
  }
  std::unique_ptr<OverlayImage> reopen() {
    return std::make_unique<OverlayImage>(base_,
                                          overlays_->load(entry_, identity_));
  }
  void change(OverlayImage& image) {
    const uint64_t begin = random_.below(kSize);
    const uint64_t most = random_.chance(3) ? 100000 : 6000;
    const uint64_t length = std::min(
        kSize - begin, random_.chance(4) ? kSize : random_.below(most));
    const auto at = flat_.begin() + static_cast<long>(begin);
    if (random_.chance(3)) {
      image.zero(begin, length);
      std::fill_n(at, length, std::byte{0});
    } else {
      const Bytes bytes = random_bytes(random_, std::min(length, most));
      image.write_at(begin, bytes);
      std::ranges::copy(bytes, at);
    }
  }
  static Bytes content(const DiskImage& image) {
    Bytes bytes(image.size());
    image.read_at(0, bytes);
    return bytes;
  }
  void check_holes(const DiskImage& image) const {
    for (uint64_t at = 0; at < kSize;) {
      const uint64_t data = image.next_data(at);
      ASSERT_TRUE(all_zero(ByteView(flat_).subspan(at, data - at)));
      at = image.next_hole(data);
    }
  }

  Random random_;
  test::TempDir directory_;
  Bytes flat_;
  std::shared_ptr<const FlatImage> base_;
  OverlayIdentity identity_;
  const OverlayDirectory::Entry entry_{"vm1", 7, "vda"};
  std::unique_ptr<OverlayDirectory> overlays_;
};

TEST_F(OverlayTest, EqualsAFlatCopyBeforeAndAfterReopening) {
  auto image = make();
  EXPECT_FALSE(image->was_written());
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 10; ++i) change(*image);
    ASSERT_TRUE(content(*image) == flat_);
    check_holes(*image);
    image->sync();
    if (random_.chance(4)) {
      open_directory();
      image = reopen();
      ASSERT_TRUE(content(*image) == flat_) << "reopened";
    }
  }
}

TEST_F(OverlayTest, WhatWasNotSyncedIsOldOrNew) {
  auto image = make();
  const Bytes one(kBlockBytes, std::byte{1});
  const Bytes two(kBlockBytes, std::byte{2});
  image->write_at(0, one);
  image->sync();
  image->write_at(0, two);
  image->write_at(kBlockBytes, two);
  image = reopen();
  Bytes block(kBlockBytes);
  image->read_at(0, block);
  EXPECT_TRUE(block == one || block == two);
  image->read_at(kBlockBytes, block);
  EXPECT_TRUE(block == two ||
              std::equal(block.begin(), block.end(),
                         flat_.begin() + static_cast<long>(kBlockBytes)));
}

TEST_F(OverlayTest, OneThatIsNotWrittenMakesNoFiles) {
  make()->sync();
  EXPECT_TRUE(overlays_->entries().empty());
  auto image = make();
  image->write_at(5, Bytes(1));
  ASSERT_EQ(overlays_->entries().size(), 1U);
  EXPECT_EQ(overlays_->entries()[0].disk, "vda");
}

TEST_F(OverlayTest, ATemporaryOneIsAsGood) {
  OverlayImage image(base_, [] { return make_temporary_overlay(kSize); });
  for (int i = 0; i < 50; ++i) change(image);
  image.sync();
  EXPECT_TRUE(content(image) == flat_);
}

TEST_F(OverlayTest, ASecondUserIsRefused) {
  test::expect_error(ErrorKind::kBusy, "in use",
                     [&] { OverlayDirectory::open(path(), true); });
}

TEST_F(OverlayTest, OverlaysOfSomethingElseAreRefused) {
  make()->write_at(0, Bytes(1));
  auto other = identity_;
  other.repository = std::string(32, 'b');
  test::expect_error(ErrorKind::kUsage, "another repository",
                     [&] { overlays_->load(entry_, other); });
  other = identity_;
  other.point_id[3] = std::byte{1};
  test::expect_error(ErrorKind::kUsage, "another point",
                     [&] { overlays_->load(entry_, other); });
  other = identity_;
  other.size_bytes += 1;
  test::expect_error(ErrorKind::kUsage, "1.00 MiB",
                     [&] { overlays_->load(entry_, other); });
}

TEST_F(OverlayTest, ARecordThatACrashLeftUnfinishedIsLeftOut) {
  auto image = make();
  image->write_at(0, Bytes(kBlockBytes));
  image->sync();
  const auto journal = overlays_->journal_path(entry_);
  const uint64_t end = kHeaderBytes + 64;
  image->write_at(10 * kBlockBytes, Bytes(kBlockBytes));
  image->sync();
  image.reset();
  File::open(journal, O_RDWR).write_at(end + 20, Bytes(8, std::byte{9}));
  image = reopen();
  EXPECT_EQ(image->written_bytes(), kBlockBytes);
  // What is synced from then on counts again.
  image->write_at(3 * kBlockBytes, Bytes(kBlockBytes));
  image->sync();
  EXPECT_EQ(reopen()->written_bytes(), 2 * kBlockBytes);
}

TEST_F(OverlayTest, DamageBeforeTheEndIsSeen) {
  auto image = make();
  for (uint64_t block = 0; block < 5; ++block) {
    image->write_at(block * 2 * kBlockBytes, Bytes(kBlockBytes));
    image->sync();
  }
  image.reset();
  const auto journal = overlays_->journal_path(entry_);
  File::open(journal, O_RDWR)
      .write_at(kHeaderBytes + 64 + 20, Bytes(8, std::byte{9}));
  test::expect_error(ErrorKind::kDamaged,
                     "vda.journal: the record at offset 4160",
                     [&] { reopen(); });
  File::open(journal, O_RDWR).write_at(100, Bytes(1, std::byte{9}));
  test::expect_error(ErrorKind::kDamaged, "header is damaged",
                     [&] { reopen(); });
}

TEST_F(OverlayTest, ALongJournalIsWrittenAnew) {
  constexpr uint64_t kLarge = 32 << 20;
  base_ = std::make_shared<FlatImage>(Bytes(kLarge));
  identity_.size_bytes = kLarge;
  auto image = make();
  image->write_at(0, Bytes(kLarge, std::byte{1}));
  for (int i = 0; i < 70; ++i) {
    for (uint64_t at = 0; at < kLarge; at += 2 * kBlockBytes) {
      if (i % 2 == 0) {
        image->zero(at, kBlockBytes);
      } else {
        image->write_at(at, Bytes(kBlockBytes, std::byte{2}));
      }
    }
    image->sync();
  }
  const Bytes before = content(*image);
  image.reset();
  const auto journal = overlays_->journal_path(entry_);
  EXPECT_GT(std::filesystem::file_size(journal), 4U << 20);
  image = reopen();
  EXPECT_LT(std::filesystem::file_size(journal), 1U << 20);
  EXPECT_TRUE(content(*image) == before);
  image->zero(kBlockBytes, kBlockBytes);
  image->sync();
  EXPECT_EQ(content(*reopen()), content(*image));
}

TEST_F(OverlayTest, WritersOfOneBlockDoNotLoseEachOthersBytes) {
  constexpr uint64_t kSectors = 64;
  auto image = make();
  {
    std::vector<std::jthread> writers;
    for (uint64_t writer = 0; writer < 8; ++writer) {
      writers.emplace_back([&, writer] {
        for (uint64_t sector = writer; sector < kSectors; sector += 8) {
          image->write_at(sector * 512,
                          Bytes(512, static_cast<std::byte>(sector + 1)));
          if (sector % 16 == 0) image->sync();
        }
      });
    }
  }
  for (uint64_t sector = 0; sector < kSectors; ++sector) {
    Bytes bytes(512);
    image->read_at(sector * 512, bytes);
    EXPECT_EQ(bytes, Bytes(512, static_cast<std::byte>(sector + 1))) << sector;
  }
}

}  // namespace
}  // namespace backstitch::format
