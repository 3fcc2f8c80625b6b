// Seeded chains against flat copies of their disks: 200 machines of 30 points
// each, with random deletes and prunes on the way. After every step every point
// equals its copy, three times: as an image, through the driver's mount, and
// restored to a file.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>

#include "format/repository/names.h"
#include "format/repository/point_writer.h"
#include "format/repository/retention.h"
#include "format/repository/verify.h"
#include "src/recovery/restore.h"
#include "tests/model/random_disk.h"
#include "tests/support/mounted.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

using test::Random;
using test::RandomDisk;

constexpr int kMachines = 200;
constexpr int kPoints = 30;

class Machine {
 public:
  Machine(const Repository& repository, const std::filesystem::path& mount,
          uint64_t stream)
      : repository_(repository),
        mount_(mount),
        random_(stream),
        domain_(repository.create_domain("machine " + std::to_string(stream))) {
    for (uint64_t i = 0; i <= random_.below(2); ++i) {
      disks_.emplace_back("vd" + std::string(1, static_cast<char>('a' + i)),
                          random_.below(40 * kChunkBytes));
    }
  }

  void take_point() {
    for (RandomDisk& disk : disks_) disk.change(random_);
    const WriterLock lock(domain_);
    PointWriter writer(repository_, domain_, plan(), compression(),
                       std::make_shared<Caches>());
    for (RandomDisk& disk : disks_) {
      DiskWriter& part = writer.add_disk(disk.name(), disk.size());
      const PointPlan::Base* base = writer.plan().base(disk.name());
      const bool tracked = base != nullptr && base->point.number() == tracked_;
      const bool whole = !tracked || disk.was_resized() || random_.chance(6);
      disk.store(part, whole, disk.dirty());
    }
    writer.commit();
    remember(writer.number(), writer.plan().level);
  }

  void delete_some() {
    std::vector<uint32_t> doomed;
    for (const auto& [number, copies] : copies_)
      if (random_.chance(6)) doomed.push_back(number);
    const WriterLock lock(domain_);
    delete_points(domain_, doomed, lock);
    for (const uint32_t number : doomed) copies_.erase(number);
  }

  void prune() {
    std::vector<Time> times;
    std::vector<uint32_t> numbers;
    for (const Point& point : domain_.open_points()) {
      times.push_back(point.manifest().time);
      numbers.push_back(point.number());
    }
    const KeepPolicy policy{.last = 3 + static_cast<unsigned>(random_.below(9)),
                            .daily = 1};
    const auto reasons = apply_policy(times, policy);
    std::vector<uint32_t> doomed;
    for (size_t i = 0; i < numbers.size(); ++i)
      if (reasons[i].empty()) doomed.push_back(numbers[i]);
    const uint64_t promised = freed_by(domain_, doomed).bytes;
    const WriterLock lock(domain_);
    const uint64_t freed = delete_points(domain_, doomed, lock).bytes;
    EXPECT_NEAR(static_cast<double>(promised), static_cast<double>(freed),
                static_cast<double>(freed) / 2 + 65536);
    for (const uint32_t number : doomed) copies_.erase(number);
  }

  void check_all() {
    EXPECT_EQ(domain_.points().size(), copies_.size());
    const auto caches = std::make_shared<Caches>();
    for (const auto& [number, copy] : copies_) {
      const Point point = domain_.open_point(number);
      ASSERT_EQ(point.manifest().disks.size(), copy.size());
      for (const auto& [disk, bytes] : copy) {
        const auto image = point.image(disk, caches);
        check_disk(*image, bytes, number);
        check_mounted(point_name(number) + "/" + disk + ".raw", bytes);
        check_restored(*image, disk, bytes);
      }
    }
    for (const Finding& finding : verify_domain(domain_, {}).findings)
      ADD_FAILURE() << finding.what;
  }

 private:
  PointPlan plan() {
    const auto dice = random_.below(20);
    if (copies_.empty() || dice == 0) return plan_point(domain_, Level::kFull);
    if (dice == 1) return plan_point(domain_, Level::kCopy);
    if (dice < 5) {
      try {
        return plan_point(domain_, Level::kDifferential);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kNoBase);
      }
    }
    return plan_point(domain_, {});
  }

  Compression compression() {
    return random_.chance(3) ? Compression{.enabled = false} : Compression{};
  }

  void remember(uint32_t number, Level level) {
    auto& copy = copies_[number];
    for (RandomDisk& disk : disks_) {
      copy.emplace(disk.name(), disk.bytes());
      if (level == Level::kCopy) continue;
      disk.dirty().clear();
      disk.forget_resize();
    }
    if (level != Level::kCopy) tracked_ = number;
  }

  void check_disk(const DiskImage& image, const Bytes& bytes, uint32_t number) {
    ASSERT_EQ(image.size(), bytes.size());
    Bytes read(bytes.size());
    image.read_at(0, read);
    ASSERT_TRUE(read == bytes) << domain_.name() << "@" << number;
    uint64_t data = 0;
    for (uint64_t at = image.next_data(0); at < bytes.size();) {
      const uint64_t hole = image.next_hole(at);
      data += hole - at;
      const uint64_t next = image.next_data(hole);
      ASSERT_TRUE(all_zero(ByteView(bytes).subspan(hole, next - hole)));
      at = next;
    }
    EXPECT_EQ((data + kChunkBytes - 1) / kChunkBytes,
              (image.data_bytes() + kChunkBytes - 1) / kChunkBytes);
    if (bytes.empty()) return;
    const uint64_t begin = random_.below(bytes.size());
    Bytes part(random_.below(bytes.size() - begin));
    image.read_at(begin, part);
    ASSERT_TRUE(std::equal(part.begin(), part.end(),
                           bytes.begin() + static_cast<long>(begin)));
  }

  void check_mounted(const std::string& name, const Bytes& bytes) {
    const File file = File::open(mount_ / domain_.name() / name, O_RDONLY);
    ASSERT_EQ(file.size(), bytes.size()) << name;
    Bytes read(bytes.size());
    file.read_at(0, read);
    ASSERT_TRUE(read == bytes) << domain_.name() << "/" << name;
  }

  void check_restored(const DiskImage& image, const std::string& disk,
                      const Bytes& bytes) {
    const auto target = repository_.path().parent_path() / "restored.raw";
    engine::Progress progress;
    engine::restore_image(image, disk, target, {.overwrite = true}, progress);
    const File file = File::open(target, O_RDONLY);
    ASSERT_EQ(file.size(), bytes.size());
    Bytes read(bytes.size());
    file.read_at(0, read);
    ASSERT_TRUE(read == bytes) << domain_.name() << ", restored";
  }

  const Repository& repository_;
  const std::filesystem::path mount_;
  Random random_;
  const Domain domain_;
  std::vector<RandomDisk> disks_;
  uint32_t tracked_ = 0;  // the point since which dirty() counts
  std::map<uint32_t, std::map<std::string, Bytes>> copies_;
};

TEST(ChainModel, EveryPointEqualsItsCopy) {
  const test::TempDir directory;
  const auto repository = Repository::create(directory.path() / "repository");
  const test::Mounted mounted(BACKSTITCHFS, repository.path(),
                              directory.path() / "mount");
  for (uint64_t stream = 0; stream < kMachines; ++stream) {
    SCOPED_TRACE("machine " + std::to_string(stream));
    Machine machine(repository, mounted.path(), stream);
    for (int point = 0; point < kPoints; ++point) machine.take_point();
    machine.check_all();
    machine.delete_some();
    machine.check_all();
    machine.take_point();
    machine.prune();
    machine.check_all();
    machine.take_point();
    machine.check_all();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace backstitch::format
