#include "format/sparsestream/archive_chain.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace backstitch::format {
namespace {

using test::expect_error;

// Files that are only their names and metadata.
class Archive {
 public:
  Archive& file(const std::string& name, const std::string& checkpoint = "",
                const std::string& parent = "", const std::string& date = "") {
    auto data = parse_data_name(name);
    EXPECT_TRUE(data) << name;
    data->place.name = name;
    data->meta.checkpoint = checkpoint;
    data->meta.parent = parent;
    data->meta.date = date;
    data->meta.incremental = !parent.empty();
    data->is_raw = checkpoint.empty();
    if (data->is_partial)
      data->error = Error(ErrorKind::kDamaged, name + " is unfinished");
    files_.data.push_back(std::make_shared<const DataFile>(*data));
    return *this;
  }
  Archive& other(const std::string& name) {
    files_.others[name] = {};
    return *this;
  }

  // "1 full: vda vdb", one a point.
  std::vector<std::string> points() const {
    std::vector<std::string> lines;
    for (const ArchivePointPointer& point : find_points(files_)) {
      std::string line = std::to_string(point->number) + " " +
                         to_string(point->level) +
                         (point->error ? " unusable" : "");
      if (point->base) line += " on " + std::to_string(point->base->number);
      line += ":";
      for (const DataFilePointer& part : point->files) line += " " + part->disk;
      lines.push_back(line);
    }
    return lines;
  }
  const ArchiveFiles& files() const { return files_; }

 private:
  ArchiveFiles files_;
};

using Lines = std::vector<std::string>;

TEST(DataName, Parts) {
  const auto inc = parse_data_name("vda.inc.virtnbdbackup.12.data");
  ASSERT_TRUE(inc);
  EXPECT_EQ(inc->disk, "vda");
  EXPECT_EQ(inc->ident, "virtnbdbackup.12");
  EXPECT_FALSE(inc->is_partial);
  EXPECT_TRUE(parse_data_name("vda.full.data.partial")->is_partial);
  for (const char* name :
       {"", "vda", "vda.data", ".full.data", "vda.full", "vda.inc.data",
        "vda.full.x.data", "vda.other.data", "vda.full.data.chksum"}) {
    EXPECT_FALSE(parse_data_name(name)) << name;
  }
}

TEST(ArchiveChain, FollowsCheckpoints) {
  Archive archive;
  // As they sort by name, which is not their order.
  archive.file("vda.diff.1700000000.data", "c.11", "c.10")
      .file("vda.full.data", "c.0")
      .file("vdb.copy.data");
  for (int i = 1; i <= 10; ++i) {
    const std::string name = "c." + std::to_string(i);
    archive.file("vda.inc." + name + ".data", name,
                 "c." + std::to_string(i - 1));
  }
  const auto points = archive.points();
  ASSERT_EQ(points.size(), 12U);
  EXPECT_EQ(points.front(), "1 full: vda vdb");
  for (int i = 2; i <= 11; ++i) {
    EXPECT_EQ(points[i - 1], std::to_string(i) + " incremental on " +
                                 std::to_string(i - 1) + ": vda");
  }
  EXPECT_EQ(points.back(), "12 differential on 11: vda");
}

TEST(ArchiveChain, DifferentialsAreLeaves) {
  Archive archive;
  archive.file("vda.full.data", "c.0", "", "1")
      .file("vdb.full.data", "c.0", "", "1")
      .file("vda.diff.100.data", "c.1", "c.0", "2")
      .file("vdb.diff.101.data", "c.1", "c.0", "2")
      .file("vda.diff.200.data", "c.1", "c.0", "3")
      .file("vda.inc.c.1.data", "c.1", "c.0", "4")
      .file("vdb.inc.c.1.data", "c.1", "c.0", "4");
  const Lines wanted = {"1 full: vda vdb", "2 differential on 1: vda vdb",
                        "3 differential on 1: vda",
                        "4 incremental on 1: vda vdb"};
  EXPECT_EQ(archive.points(), wanted);
}

TEST(ArchiveChain, RunsAreToldApartByTheirDescriptions) {
  Archive archive;
  archive.file("vda.full.data", "c.0", "", "1")
      .file("vdb.full.data", "c.0", "", "1")
      .file("vda.diff.100.data", "c.1", "c.0", "2")
      .file("vdb.diff.200.data", "c.1", "c.0", "3")
      .other("vmconfig.105.xml")
      .other("vmconfig.203.xml");
  const Lines wanted = {"1 full: vda vdb", "2 differential on 1: vda",
                        "3 differential on 1: vdb"};
  EXPECT_EQ(archive.points(), wanted);
}

// Offline: no checkpoint of its own, so that nothing builds on it.
TEST(ArchiveChain, ReusedCheckpoint) {
  Archive archive;
  archive.file("vda.full.data", "c.0", "", "1")
      .file("vda.inc.c.0.data", "c.0", "c.0", "3")
      .file("vda.inc.c.1.data", "c.1", "c.0", "2");
  const Lines wanted = {"1 full: vda", "2 incremental on 1: vda",
                        "3 incremental on 1: vda"};
  EXPECT_EQ(archive.points(), wanted);
}

// The bitmap was lost: a full under the name of an incremental.
TEST(ArchiveChain, FullInTheMiddle) {
  Archive archive;
  archive.file("vda.full.data", "c.0", "", "1")
      .file("vda.inc.c.1.data", "c.1", "", "2")
      .file("vda.inc.c.2.data", "c.2", "c.1", "3");
  const Lines wanted = {"1 full: vda", "2 full: vda",
                        "3 incremental on 2: vda"};
  EXPECT_EQ(archive.points(), wanted);
}

TEST(ArchiveChain, MissingAndUnfinished) {
  Archive archive;
  archive.file("vda.full.data", "c.0", "", "1")
      .file("vda.inc.c.2.data", "c.2", "c.1", "3")
      .file("vda.inc.c.3.data", "c.3", "c.2", "4")
      .file("vda.inc.c.4.data.partial");
  const Lines wanted = {"1 full: vda", "2 incremental unusable: vda",
                        "3 incremental on 2: vda"};
  EXPECT_EQ(archive.points(), wanted);
  const auto points = find_points(archive.files());
  expect_error(ErrorKind::kDamaged, "\"c.1\"",
               [&] { layers_of(points[2], "vda"); });
}

TEST(ArchiveChain, ADiskThatTheBaseLacks) {
  Archive archive;
  archive.file("vda.full.data", "c.0", "", "1")
      .file("vda.inc.c.1.data", "c.1", "c.0", "2")
      .file("vdb.inc.c.1.data", "c.1", "c.0", "2");
  const auto points = find_points(archive.files());
  EXPECT_EQ(layers_of(points[1], "vda").size(), 2U);
  expect_error(ErrorKind::kDamaged, "vdb.inc.c.1.data",
               [&] { layers_of(points[1], "vdb"); });
  expect_error(ErrorKind::kNotFound, "no disk vdx",
               [&] { layers_of(points[1], "vdx"); });
}

TEST(ArchiveChain, CirclesEnd) {
  Archive archive;
  archive.file("vda.inc.c.1.data", "c.1", "c.2", "1")
      .file("vda.inc.c.2.data", "c.2", "c.1", "2");
  const auto points = find_points(archive.files());
  ASSERT_EQ(points.size(), 2U);
  expect_error(ErrorKind::kDamaged, "builds on itself",
               [&] { layers_of(points[0], "vda"); });
}

}  // namespace
}  // namespace backstitch::format
