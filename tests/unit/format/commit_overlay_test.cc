// Overlays that become points, against flat copies of the disks.
#include "format/overlay/commit_overlay.h"

#include <gtest/gtest.h>

#include "format/base/error.h"
#include "format/overlay/overlay_image.h"
#include "format/repository/point_writer.h"
#include "format/repository/verify.h"
#include "format/repository/writer_lock.h"
#include "tests/model/random_disk.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

using Entry = OverlayDirectory::Entry;

class CommitOverlayTest : public testing::Test {
 protected:
  static constexpr uint64_t kSize = 20 * kChunkBytes + 1234;

  CommitOverlayTest()
      : repository_(Repository::create(directory_.path() / "repository")),
        domain_(repository_.create_domain("vm1")),
        overlays_(OverlayDirectory::open(directory_.path() / "overlay", true)) {
    for (const char* name : {"vda", "vdb"}) {
      disks_.emplace_back(name, kSize);
      disks_.back().change(random_);
    }
  }

  uint32_t take_point(Level level) {
    const WriterLock lock(domain_);
    PointWriter writer(repository_, domain_, plan_point(domain_, level), {},
                       std::make_shared<Caches>());
    for (const test::RandomDisk& disk : disks_)
      disk.store(writer.add_disk(disk.name(), disk.size()), true, {});
    writer.add_file("domain.xml", "<domain/>");
    writer.commit();
    return writer.number();
  }

  // Random changes over a disk of a point; what it then is.
  Bytes overlay(uint32_t number, const std::string& disk) {
    const Point point = domain_.open_point(number);
    const auto base = point.image(disk, std::make_shared<Caches>());
    OverlayImage image(base, [&] {
      return overlays_.create(
          {"vm1", number, disk},
          {repository_.id(), number, point.manifest().id, disk, base->size()});
    });
    for (int i = 0; i < 12; ++i) {
      const uint64_t begin = random_.below(base->size());
      const uint64_t most = random_.chance(4) ? 5 * kChunkBytes : 9000;
      const uint64_t length =
          std::min(base->size() - begin, 1 + random_.below(most));
      if (random_.chance(2)) {
        image.zero(begin, length);
      } else {
        Bytes bytes(length);
        for (std::byte& byte : bytes)
          byte = static_cast<std::byte>(random_.below(3));
        image.write_at(begin, bytes);
      }
    }
    image.sync();
    Bytes content(image.size());
    image.read_at(0, content);
    return content;
  }

  Bytes content(uint32_t number, const std::string& disk) {
    const auto image =
        domain_.open_point(number).image(disk, std::make_shared<Caches>());
    Bytes bytes(image->size());
    image->read_at(0, bytes);
    return bytes;
  }

  Manifest commit(uint32_t number) {
    std::vector<Entry> entries = overlays_.entries();
    std::erase_if(entries,
                  [&](const Entry& entry) { return entry.point != number; });
    return commit_overlay(repository_, overlays_, entries, {});
  }

  test::Random random_{3};
  test::TempDir directory_;
  const Repository repository_;
  const Domain domain_;
  const OverlayDirectory overlays_;
  std::vector<test::RandomDisk> disks_;
};

TEST_F(CommitOverlayTest, ThePointIsWhatTheOverlayShowed) {
  uint32_t number = take_point(Level::kFull);
  for (int round = 0; round < 30; ++round) {
    const Bytes vda = overlay(number, "vda");
    const Bytes vdb =
        random_.chance(2) ? overlay(number, "vdb") : content(number, "vdb");
    const Bytes before = content(number, "vda");
    const Manifest made = commit(number);
    EXPECT_EQ(made.level, Level::kIncremental);
    EXPECT_EQ(made.parent, number);
    EXPECT_TRUE(content(number, "vda") == before) << "the base";
    number = made.point;
    EXPECT_TRUE(content(number, "vda") == vda);
    EXPECT_TRUE(content(number, "vdb") == vdb);
    EXPECT_EQ(domain_.open_point(number).side_file("domain.xml"), "<domain/>");
    const DiskManifest* disk = made.disk("vda");
    EXPECT_LE(disk->read_bytes, kSize);
  }
  EXPECT_TRUE(verify_domain(domain_, {}).findings.empty());
}

TEST_F(CommitOverlayTest, OnlyOnTheNewestOfAChain) {
  const uint32_t first = take_point(Level::kFull);
  overlay(first, "vda");
  const uint32_t copy = take_point(Level::kCopy);
  overlay(copy, "vda");
  test::expect_error(ErrorKind::kNoBase, "is a copy", [&] { commit(copy); });
  const uint32_t second = take_point(Level::kIncremental);
  test::expect_error(ErrorKind::kNoBase, "vm1@3 came after it",
                     [&] { commit(first); });
  EXPECT_EQ(domain_.latest(), second);
}

TEST_F(CommitOverlayTest, AnOverlayThatIsRemovedIsGone) {
  const uint32_t number = take_point(Level::kFull);
  overlay(number, "vda");
  overlay(number, "vdb");
  EXPECT_EQ(overlays_.entries().size(), 2U);
  overlays_.remove("vm1", number);
  EXPECT_TRUE(overlays_.entries().empty());
}

}  // namespace
}  // namespace backstitch::format
