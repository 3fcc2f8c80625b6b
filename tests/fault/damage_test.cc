// Changes every byte of every file of a small repository, one at a time, and
// cuts every file at every page: `verify` must find each, a reader must get
// the right bytes or an error, and what lies elsewhere must stay readable.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/retention.h"
#include "format/repository/verify.h"
#include "tests/support/content.h"
#include "tests/support/scripted_disk.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;
using test::make_point;
using test::ScriptedDisk;
using test::ScriptedDisks;
using test::TempDir;
using test::text_bytes;

constexpr uint64_t kChunk = kChunkBytes;

// What a disk of a point must hold.
struct Truth {
  std::string domain;
  uint32_t point;
  Bytes bytes;
};

// A chain of a tree with two levels of pages, with a stored chunk and with
// remains, and beside it the smallest machine there is.
class Subject {
 public:
  explicit Subject(const fs::path& path)
      : repository_(Repository::create(path)) {
    make_chain();
    make_bystander();
  }

  const fs::path& path() const { return repository_.path(); }
  const std::vector<Truth>& truths() const { return truths_; }

  std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path()))
      if (entry.is_regular_file()) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
  }

 private:
  void make_chain() {
    const Domain domain = repository_.create_domain("vm");
    const WriterLock lock(domain);
    ScriptedDisks disks;
    ScriptedDisk& disk =
        disks.emplace("vda", ScriptedDisk(129 * kChunk)).first->second;
    disk.write(0, text_bytes(1, 300));
    disk.write(kChunk, test::random_bytes(2));
    disk.write(128 * kChunk, text_bytes(3, 300));
    make_point(repository_, domain, disks);
    disk.write(5 * kChunk, text_bytes(4, 200));
    disk.write(6 * kChunk, text_bytes(5, 200));
    make_point(repository_, domain, disks);
    disk.write(6 * kChunk, text_bytes(6, 200));
    remember(domain, make_point(repository_, domain, disks), disk);
    delete_points(domain, {2}, lock);
    const Point first = domain.open_point(1);
    truths_.push_back({"vm", 1, test::read_disk(first, "vda")});
  }

  void make_bystander() {
    const Domain domain = repository_.create_domain("other");
    const WriterLock lock(domain);
    ScriptedDisks disks;
    ScriptedDisk& disk = disks.emplace("vda", ScriptedDisk(5000)).first->second;
    disk.write(100, text_bytes(7, 300));
    remember(domain, make_point(repository_, domain, disks), disk);
  }

  void remember(const Domain& domain, uint32_t point,
                const ScriptedDisk& disk) {
    truths_.push_back({domain.name(), point, test::expected_bytes(disk)});
  }

  Repository repository_;
  std::vector<Truth> truths_;
};

// Compares an image with the truth, extent by extent. What is no data must be
// zero in the truth.
void expect_right(const DiskImage& image, const Bytes& truth) {
  ASSERT_EQ(image.size(), truth.size());
  Bytes part(kChunk);
  uint64_t offset = 0;
  while (offset < truth.size()) {
    const uint64_t data = image.next_data(offset);
    ASSERT_TRUE(all_zero(ByteView(truth).subspan(offset, data - offset)));
    if (data == truth.size()) return;
    const uint64_t size = std::min(kChunk, truth.size() - data);
    image.read_at(data, std::span(part).first(size));
    ASSERT_TRUE(std::equal(part.begin(), part.begin() + size,
                           truth.begin() + static_cast<ptrdiff_t>(data)))
        << "wrong bytes at " << data;
    offset = data + size;
  }
}

// Reads one image; true if it was right, false if it said that it is damaged.
bool readable(const Repository& repository, const Truth& truth) {
  try {
    const Point point = repository.domain(truth.domain).open_point(truth.point);
    expect_right(*point.image("vda", std::make_shared<Caches>()), truth.bytes);
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDamaged) << error.what();
    return false;
  }
}

// Reads all that must be readable whatever happened to `file`, and all else.
void expect_no_wrong_bytes(const Subject& subject, const fs::path& file,
                           const std::vector<uint32_t>& reported) {
  const Repository repository = Repository::open(subject.path());
  for (const Truth& truth : subject.truths()) {
    const fs::path domain = subject.path() / truth.domain;
    const bool right = readable(repository, truth);
    const bool same_domain = file.string().starts_with(domain.string() + "/");
    EXPECT_TRUE(right || same_domain) << truth.domain << " was not touched";
    EXPECT_TRUE(right || std::ranges::count(reported, truth.point) > 0)
        << truth.domain << " " << truth.point << " is not reported";
  }
}

// Points that verify says are affected; nothing when it finds nothing.
std::optional<std::vector<uint32_t>> verify_all(const Subject& subject) {
  const Repository repository = Repository::open(subject.path());
  VerifyOptions options;
  options.threads = 1;
  std::optional<std::vector<uint32_t>> affected;
  for (const Domain& domain : repository.domains()) {
    for (const Finding& finding : verify_domain(domain, options).findings) {
      if (!affected) affected.emplace();
      affected->insert(affected->end(), finding.points.begin(),
                       finding.points.end());
      EXPECT_FALSE(finding.what.empty());
    }
  }
  return affected;
}

void expect_found(const Subject& subject, const fs::path& file) {
  std::optional<std::vector<uint32_t>> affected;
  try {
    affected = verify_all(subject);
  } catch (const Error& error) {
    // Of an unreadable repository.json nothing can be said but that.
    EXPECT_EQ(file.filename(), "repository.json") << error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kDamaged) << error.what();
    return;
  }
  EXPECT_TRUE(affected.has_value()) << "verify found nothing";
  if (affected) expect_no_wrong_bytes(subject, file, *affected);
}

// Which byte of a file to change: its share of the work, in a thread's copy.
struct Share {
  uint64_t index;
  uint64_t count;
};

void change_bytes(const Subject& subject, const fs::path& path, Share share) {
  const File file = File::open(path, O_RDWR);
  std::array<std::byte, 1> byte{};
  for (uint64_t at = share.index; at < file.size(); at += share.count) {
    file.read_at(at, byte);
    const std::byte flip{static_cast<uint8_t>(1U << (at * 7 % 8))};
    const std::array<std::byte, 1> changed{byte[0] ^ flip};
    file.write_at(at, changed);
    SCOPED_TRACE(path.string() + " byte " + std::to_string(at));
    expect_found(subject, path);
    file.write_at(at, byte);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Damage, EveryChangedByteIsFound) {
  const uint64_t count = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::jthread> threads;
  for (uint64_t index = 0; index < count; ++index) {
    threads.emplace_back([index, count] {
      const TempDir dir;
      const Subject subject(dir.path() / "repository");
      for (const fs::path& file : subject.files())
        change_bytes(subject, file, {index, count});
    });
  }
}

TEST(Damage, NothingIsFoundWhereNothingIsWrong) {
  const TempDir dir;
  const Subject subject(dir.path() / "repository");
  EXPECT_FALSE(verify_all(subject).has_value());
  expect_no_wrong_bytes(subject, "", {});
}

TEST(Damage, EveryTruncationIsFound) {
  const TempDir dir;
  const Subject subject(dir.path() / "repository");
  for (const fs::path& path : subject.files()) {
    const std::string content = read_text(path);
    for (uint64_t size = 0; size < content.size(); size += kPageBytes) {
      fs::resize_file(path, size);
      SCOPED_TRACE(path.string() + " cut at " + std::to_string(size));
      expect_found(subject, path);
      std::ofstream(path, std::ios::binary) << content;
    }
  }
  EXPECT_FALSE(verify_all(subject).has_value());
}

TEST(Damage, AppendedBytesAreFound) {
  const TempDir dir;
  const Subject subject(dir.path() / "repository");
  for (const fs::path& path : subject.files()) {
    if (path.filename() == "lock") continue;
    const std::string content = read_text(path);
    SCOPED_TRACE(path.string());
    std::ofstream(path, std::ios::binary) << content << '\0';
    expect_found(subject, path);
    std::ofstream(path, std::ios::binary) << content;
  }
}

// What a mistaken copy or a tidy administrator does.
TEST(Damage, MissingAndExchangedFilesAreFound) {
  const TempDir dir;
  const Subject subject(dir.path() / "repository");
  const fs::path first = subject.path() / "vm/000001";
  const fs::path third = subject.path() / "vm/000003";
  for (const char* name : {"vda.map", "vda.data", "domain.xml"}) {
    SCOPED_TRACE(name);
    fs::rename(first / name, dir.path() / "kept");
    EXPECT_TRUE(verify_all(subject).has_value());
    fs::rename(dir.path() / "kept", first / name);
  }
  for (const char* name : {"vda.map", "vda.data", "point.json"}) {
    SCOPED_TRACE(name);
    fs::rename(first / name, dir.path() / "kept");
    fs::copy_file(third / name, first / name);
    EXPECT_TRUE(verify_all(subject).has_value());
    fs::remove(first / name);
    fs::rename(dir.path() / "kept", first / name);
  }
}

}  // namespace
}  // namespace backstitch::format
