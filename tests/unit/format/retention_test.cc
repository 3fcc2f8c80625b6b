// What deletion must never free: what cannot be known to be free.
#include "format/repository/retention.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "format/repository/names.h"
#include "format/repository/verify.h"
#include "tests/support/content.h"
#include "tests/support/expect_error.h"
#include "tests/support/rehash.h"
#include "tests/support/scripted_disk.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::make_point;
using test::random_bytes;
using test::read_disk;

constexpr uint64_t kChunk = kChunkBytes;

// A full, and an incremental that needs all of it but one chunk.
class Retention : public ::testing::Test {
 protected:
  Retention() {
    const WriterLock lock(domain_);
    disk_.write(0, random_bytes(1, 8 * kChunk));
    make_point(repository_, domain_, disks_);
    disk_.write(kChunk, random_bytes(2));
    make_point(repository_, domain_, disks_);
  }

  fs::path point(uint32_t number, const char* file) const {
    return domain_.path() / point_name(number) / file;
  }
  void remove(const std::vector<uint32_t>& points) {
    const WriterLock lock(domain_);
    delete_points(domain_, points, lock);
  }
  // Point 2 as it must be.
  void expect_second() const {
    EXPECT_EQ(read_disk(domain_.open_point(2), "vda"),
              test::expected_bytes(disk_));
  }

  test::TempDir dir_;
  Repository repository_ = Repository::create(dir_.path() / "r");
  Domain domain_ = repository_.create_domain("vm");
  test::ScriptedDisks disks_{{"vda", test::ScriptedDisk(8 * kChunk)}};
  test::ScriptedDisk& disk_ = disks_.at("vda");
};

// A link to itself fails with ELOOP, as a broken disk does with EIO and a share
// that went away with ESTALE.
TEST_F(Retention, APointThatCannotBeLookedAtKeepsWhatItNeeds) {
  const fs::path manifest = point(2, "point.json");
  fs::rename(manifest, dir_.path() / "aside");
  fs::create_symlink(manifest, manifest);
  EXPECT_THROW(remove({1}), Error);
  fs::remove(manifest);
  fs::rename(dir_.path() / "aside", manifest);
  expect_second();
}

TEST_F(Retention, APointWhoseManifestIsNotThereYetKeepsWhatItNeeds) {
  const fs::path manifest = point(2, "point.json");
  fs::rename(manifest, dir_.path() / "aside");
  expect_error(ErrorKind::kDamaged, "no manifest", [&] { remove({1}); });
  { const WriterLock backups_go_on(domain_); }
  fs::rename(dir_.path() / "aside", manifest);
  expect_second();
  // And now what the second does not need is freed.
  const WriterLock lock(domain_);
  EXPECT_TRUE(fs::exists(point(1, "remains.json")));
}

// A bad sector gives EIO and no wrong hash; ELOOP stands for it.
TEST_F(Retention, WritersGoOnWhereFreeingFails) {
  const fs::path map = point(2, "vda.map");
  fs::rename(map, dir_.path() / "aside");
  fs::create_symlink(map, map);
  EXPECT_THROW(remove({1}), Error);
  const WriterLock lock(domain_);
  test::PointOptions full;
  full.level = Level::kFull;
  make_point(repository_, domain_, disks_, full);
  EXPECT_EQ(read_disk(domain_.open_point(3), "vda"),
            test::expected_bytes(disk_));
}

TEST_F(Retention, ADamagedChainKeepsNoOtherFromBeingFreed) {
  test::PointOptions full;
  full.level = Level::kFull;
  {
    const WriterLock lock(domain_);
    make_point(repository_, domain_, disks_, full);
    disk_.write(kChunk, random_bytes(3));
    make_point(repository_, domain_, disks_);
  }
  const fs::path map = point(2, "vda.map");
  fs::rename(map, dir_.path() / "aside");
  fs::create_symlink(map, map);
  EXPECT_THROW(remove({1, 3}), Error);
  EXPECT_TRUE(fs::exists(point(1, "deleted.json")));
  EXPECT_TRUE(fs::exists(point(3, "remains.json")));
  EXPECT_EQ(read_disk(domain_.open_point(4), "vda"),
            test::expected_bytes(disk_));
}

TEST_F(Retention, ManyPointsNeedFewOpenFiles) {
  {
    const WriterLock lock(domain_);
    for (int i = 0; i < 60; ++i) make_point(repository_, domain_, disks_);
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 40;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_NO_THROW(remove({1}));
  ::setrlimit(RLIMIT_NOFILE, &before);
  expect_second();
}

// As `cp -al` or `rsync --link-dest` make a second copy of a repository.
TEST_F(Retention, ACopyOfHardLinksStaysWhole) {
  const fs::path copy = dir_.path() / "copy";
  fs::copy(repository_.path(), copy,
           fs::copy_options::recursive | fs::copy_options::create_hard_links);
  remove({1});
  expect_second();
  EXPECT_TRUE(verify_domain(domain_, {}).findings.empty());
  EXPECT_TRUE(
      verify_domain(Repository::open(copy).domain("vm"), {}).findings.empty());
}

TEST_F(Retention, AFileThatIsNotThePointsOwnIsLeftAlone) {
  const Bytes content = random_bytes(7, 8 * kChunk);
  const fs::path other = dir_.path() / "other";
  write_new_file(
      other, {reinterpret_cast<const char*>(content.data()), content.size()});
  fs::remove(point(1, "vda.data"));
  fs::create_symlink(other, point(1, "vda.data"));
  remove({1});
  const std::string now = read_text(other);
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(now)), content));
}

// The chunks of the base are miscounted, and the new point's would be below 0.
TEST_F(Retention, APointThatCouldNotBeOpenedIsNotCommitted) {
  const fs::path manifest = point(2, "point.json");
  std::string text = read_text(manifest);
  const std::string count = "\"data_chunks\": 8";
  ASSERT_NE(text.find(count), std::string::npos);
  text.replace(text.find(count), count.size(), "\"data_chunks\": 0");
  fs::remove(manifest);
  write_new_file(manifest, test::rehashed(text));
  disk_.zero(0, kChunk);
  const WriterLock lock(domain_);
  expect_error(ErrorKind::kDamaged, "could not be opened",
               [&] { make_point(repository_, domain_, disks_); });
  EXPECT_EQ(domain_.points(), (std::vector<uint32_t>{1, 2}));
}

TEST_F(Retention, NumbersDoNotStartAgain) {
  fs::create_directory(domain_.path() / "4294967295");
  const WriterLock lock(domain_);
  EXPECT_THROW(make_point(repository_, domain_, disks_), Error);
  EXPECT_FALSE(fs::exists(domain_.path() / "000000"));
}

}  // namespace
}  // namespace backstitch::format
