#include "src/image/bitmap_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

using format::Level;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kRepository[] = "0123456789abcdef0123456789abcdef";
constexpr char kCheckpoint[] = "backstitch-01234567-vm1-000003-00ff";
constexpr uint64_t kSize = 1 << 20;

class BitmapPlanTest : public ::testing::Test {
 protected:
  BitmapPlanTest() {
    image_.path = "/";  // writable by whoever runs this as root
    image_.format = "qcow2";
    image_.compat = "1.1";
    image_.size_bytes = kSize;
    image_.bitmaps = {{std::string(kCheckpoint) + "-vda", false, true}};
    base_.domain = "vm1";
    base_.point = 3;
    base_.id = {std::byte{0}, std::byte{255}};
    base_.checkpoint = kCheckpoint;
    format::DiskManifest disk;
    disk.name = "vda";
    disk.size_bytes = kSize;
    base_.disks = {disk};
    if (!why_not_writable(image_).empty()) image_.path = ".";
  }

  std::string reason(Level level = Level::kIncremental) const {
    const ReadPlan plan = plan_read(image_, "vda", level, &base_, names_);
    EXPECT_EQ(plan.bitmap.empty(), !plan.reason.empty());
    return plan.reason;
  }

  ImageInfo image_;
  format::Manifest base_;
  const BitmapNames names_;
};

TEST_F(BitmapPlanTest, NamesAreMadeOfRepositoryPointAndDisk) {
  EXPECT_EQ(checkpoint_name(kRepository, base_), kCheckpoint);
  EXPECT_EQ(
      plan_read(image_, "vda", Level::kIncremental, &base_, names_).bitmap,
      std::string(kCheckpoint) + "-vda");
}

TEST_F(BitmapPlanTest, SaysWhyAllIsRead) {
  EXPECT_EQ(reason(), "");
  EXPECT_THAT(reason(Level::kFull), HasSubstr("full"));
  EXPECT_THAT(reason(Level::kCopy), HasSubstr("copy"));
  EXPECT_THAT(
      plan_read(image_, "vda", Level::kIncremental, nullptr, names_).reason,
      HasSubstr("new"));
  EXPECT_THAT(
      plan_read(image_, "vdb", Level::kIncremental, &base_, names_).reason,
      HasSubstr("no bitmap"));
}

TEST_F(BitmapPlanTest, ABitmapInUseIsNotTrusted) {
  image_.bitmaps[0].in_use = true;
  EXPECT_THAT(reason(), HasSubstr("not closed cleanly"));
}

TEST_F(BitmapPlanTest, ABitmapThatIsOffIsNotTrusted) {
  image_.bitmaps[0].enabled = false;
  EXPECT_THAT(reason(), HasSubstr("switched off"));
}

TEST_F(BitmapPlanTest, AResizedDiskIsReadWhole) {
  image_.size_bytes *= 2;
  EXPECT_THAT(reason(), HasSubstr("resized from 1.00 MiB to 2.00 MiB"));
}

TEST_F(BitmapPlanTest, SomeImagesHoldNoBitmaps) {
  image_.compat = "0.10";
  EXPECT_THAT(reason(), HasSubstr("version 2"));
  image_.format = "raw";
  EXPECT_THAT(reason(), HasSubstr("raw"));
}

TEST_F(BitmapPlanTest, APointWithoutCheckpointIsNoBase) {
  base_.checkpoint.clear();
  EXPECT_THAT(reason(), HasSubstr("left no bitmap"));
}

TEST_F(BitmapPlanTest, KnowsItsOwnBitmaps) {
  const std::string prefix = checkpoint_prefix(kRepository, "vm1");
  EXPECT_TRUE(names_.ours(prefix + "000001-ab12-vda", prefix));
  EXPECT_TRUE(names_.ours(prefix + "1000000-ab12-x", prefix));
  for (const char* other : {"", "000001", "000001-ab12", "000001-ab12-",
                            "1-ab12-vda", "000001-abg2-vda", "000001-ab123-vda",
                            "abcdef-ab12-vda", "2-000001-ab12-vda"}) {
    EXPECT_FALSE(names_.ours(prefix + other, prefix)) << other;
  }
  EXPECT_FALSE(names_.ours("backstitch-89abcdef-vm1-000001-ab12-vda", prefix));
}

TEST_F(BitmapPlanTest, OnlyItsOwnAndUselessOnesGo) {
  const std::string prefix = checkpoint_prefix(kRepository, "vm1");
  const std::string orphan = prefix + "000009-abcd-vda";
  const std::string broken = prefix + "000001-abcd-vda";
  image_.bitmaps.push_back({orphan, false, true});
  image_.bitmaps.push_back({broken, true, true});
  image_.bitmaps.push_back({"libvirt-checkpoint", false, true});
  image_.bitmaps.push_back(
      {"backstitch-89abcdef-vm1-000001-ab12-vda", false, true});
  EXPECT_THAT(obsolete_bitmaps(image_, "vda", prefix,
                               {kCheckpoint, prefix + "000001-abcd"}, names_),
              ElementsAre(orphan, broken));
  image_.bitmaps.resize(1);
  EXPECT_THAT(obsolete_bitmaps(image_, "vda", prefix, {kCheckpoint}, names_),
              IsEmpty());
  // The disk is called otherwise now: its bitmap says nothing about this one.
  EXPECT_THAT(obsolete_bitmaps(image_, "vdb", prefix, {kCheckpoint}, names_),
              ElementsAre(image_.bitmaps[0].name));
}

TEST_F(BitmapPlanTest, LibvirtsBitmapsAreCalledAsTheCheckpoint) {
  const BitmapNames libvirts{.with_disk = false};
  const std::string prefix = checkpoint_prefix(kRepository, "vm1");
  EXPECT_EQ(libvirts.of(kCheckpoint, "vda"), kCheckpoint);
  EXPECT_TRUE(libvirts.ours(kCheckpoint, prefix));
  EXPECT_TRUE(is_our_checkpoint(kCheckpoint, prefix));
  EXPECT_FALSE(libvirts.ours(std::string(kCheckpoint) + "-vda", prefix));
  EXPECT_FALSE(names_.ours(kCheckpoint, prefix));
}

// libvirt takes [a-zA-Z0-9_.-] only.
TEST_F(BitmapPlanTest, OddNamesBecomeCheckpointsNames) {
  EXPECT_EQ(checkpoint_prefix(kRepository, "a b/\xc3\xa4'"),
            "backstitch-01234567-a_b____-");
}

TEST_F(BitmapPlanTest, ABitmapOfAnotherFileIsNotUsed) {
  format::DiskManifest disk;
  disk.source = {{"path", "/a.qcow2"}, {"inode", "7"}};
  std::string inode = "7";
  const auto inode_of = [&](const std::string&) { return inode; };
  using Chain = std::vector<std::string>;
  const auto why = [&](const Chain& chain) {
    return why_other_image(disk, 3, chain, inode_of);
  };
  EXPECT_EQ(why({"/a.qcow2"}), "");
  EXPECT_EQ(why({"/snapshot.qcow2", "/a.qcow2"}), "");
  EXPECT_THAT(why({"/b.qcow2"}), HasSubstr("/a.qcow2 at point 3"));
  inode = "8";
  EXPECT_THAT(why({"/a.qcow2"}), HasSubstr("another file"));
  inode = "";
  EXPECT_EQ(why({"/a.qcow2"}), "");
  disk.source.clear();
  EXPECT_THAT(why({"/a.qcow2"}), HasSubstr("not a file"));
}

TEST(ImageInfo, IsReadFromJson) {
  const ImageInfo info = parse_image_info(R"({
    "virtual-size": 67108864, "filename": "a.qcow2", "cluster-size": 65536,
    "format": "qcow2", "actual-size": 483328, "backing-filename": "b.raw",
    "format-specific": {"type": "qcow2", "data": {"compat": "1.1",
      "bitmaps": [{"flags": ["auto", "in-use"], "name": "b1",
                   "granularity": 65536},
                  {"flags": [], "name": "b2", "granularity": 65536}]}},
    "dirty-flag": false})");
  EXPECT_EQ(info.size_bytes, 67108864U);
  EXPECT_EQ(info.compat, "1.1");
  EXPECT_EQ(info.backing_file, "b.raw");
  ASSERT_EQ(info.bitmaps.size(), 2U);
  EXPECT_TRUE(info.bitmap("b1")->in_use && info.bitmap("b1")->enabled);
  EXPECT_FALSE(info.bitmap("b2")->in_use || info.bitmap("b2")->enabled);
  EXPECT_EQ(info.bitmap("b3"), nullptr);
  for (const char* bad : {"", "{}", "[]", R"({"format": 1})",
                          R"({"format": "raw", "virtual-size": 1e300})",
                          R"({"format": "raw", "virtual-size": -1})",
                          R"({"format": "qcow2", "virtual-size": 1,
      "format-specific": {"data": {"refcount-bits": 1e300}}})"})
    EXPECT_THROW(parse_image_info(bad), Error) << bad;
}

TEST(Qcow2Options, ComeBackFromTheManifest) {
  const ImageInfo info = parse_image_info(R"({
    "virtual-size": 67108864, "filename": "a.qcow2", "cluster-size": 131072,
    "format": "qcow2", "format-specific": {"type": "qcow2", "data": {
      "compat": "1.1", "compression-type": "zstd", "lazy-refcounts": true,
      "refcount-bits": 32, "extended-l2": true, "data-file": "/d/a,b.raw",
      "data-file-raw": true}}})");
  format::DiskManifest disk;
  describe_source(info, disk);
  const Qcow2Options options = qcow2_options_of(disk);
  EXPECT_EQ(options.cluster_bytes, 131072U);
  EXPECT_EQ(options.refcount_bits, 32U);
  EXPECT_EQ(options.compression_type, "zstd");
  EXPECT_TRUE(options.lazy_refcounts && options.extended_l2);
  EXPECT_EQ(options.data_file, "/d/a,b.raw");
  EXPECT_TRUE(options.data_file_raw);
  // A manifest of an older version, or one that says something strange.
  disk.source = {{"compat", "0.10"}, {"cluster-size", "many"}};
  EXPECT_EQ(qcow2_options_of(disk).compat, "0.10");
  EXPECT_EQ(qcow2_options_of(disk).cluster_bytes, 0U);
}

}  // namespace
}  // namespace backstitch::engine
