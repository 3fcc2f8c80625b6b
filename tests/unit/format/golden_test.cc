// This version reads the repositories of every format version, as they were
// made when the version was new.

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "format/repository/names.h"
#include "format/repository/repository.h"
#include "format/repository/verify.h"
#include "tests/support/scripted_disk.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(BACKSTITCH_TEST_DATA) / "golden-1";

// "machine/000001/vda" to the hash of the disk.
std::map<std::string, std::string> expected() {
  std::map<std::string, std::string> hashes;
  std::ifstream file(kGolden / "expected");
  for (std::string line; std::getline(file, line);)
    hashes[line.substr(34)] = line.substr(0, 32);
  return hashes;
}

// Every disk of every point, read from beginning to end.
std::map<std::string, std::string> read_all(const Repository& repository) {
  std::map<std::string, std::string> hashes;
  for (const Domain& domain : repository.domains()) {
    for (const Point& point : domain.open_points()) {
      for (const DiskManifest& disk : point.manifest().disks) {
        const std::string name =
            domain.name() + "/" + point_name(point.number()) + "/" + disk.name;
        hashes[name] = to_hex(hash_of(test::read_disk(point, disk.name)));
      }
    }
  }
  return hashes;
}

TEST(Golden, ReadsWhatWasWritten) {
  EXPECT_EQ(read_all(Repository::open(kGolden / "repository")), expected());
}

TEST(Golden, VerifiesClean) {
  const Repository repository = Repository::open(kGolden / "repository");
  for (const Domain& domain : repository.domains()) {
    for (const Finding& finding : verify_domain(domain, {}).findings)
      ADD_FAILURE() << finding.what;
  }
}

TEST(Golden, KnowsDeletedPoints) {
  const Repository repository = Repository::open(kGolden / "repository");
  const Domain machine = repository.domain("machine");
  EXPECT_EQ(machine.points(), (std::vector<uint32_t>{1, 2, 4}));
  ASSERT_EQ(machine.remains().size(), 1U);
  EXPECT_EQ(machine.remains()[0].point, 3U);
}

// An old repository is not only read: it goes on.
TEST(Golden, TakesNewPoints) {
  const test::TempDir dir;
  fs::copy(kGolden / "repository", dir.path() / "r",
           fs::copy_options::recursive);
  const Repository repository = Repository::open(dir.path() / "r");
  const Domain domain = repository.domain("other machine");
  const WriterLock lock(domain);
  test::ScriptedDisks disks;
  disks.emplace("one-chunk", test::ScriptedDisk(512));
  test::PointOptions options;
  options.whole = true;
  EXPECT_EQ(make_point(repository, domain, disks, options), 4U);
  const Point point = domain.open_point(4);
  EXPECT_EQ(point.manifest().chain, 1U);
  EXPECT_EQ(test::read_disk(point, "one-chunk"), Bytes(512));
}

}  // namespace
}  // namespace backstitch::format
