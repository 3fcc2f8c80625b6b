// Backups, deletions and checks of a small machine whose disks are the same in
// every run: what the fault tests kill and starve. Without child processes, so
// that each of its system calls can be counted.
//
//   fault_driver init REPOSITORY
//   fault_driver backup REPOSITORY STEP LEVEL   state STEP of the machine
//   fault_driver delete REPOSITORY NUMBER...
//   fault_driver prune REPOSITORY KEEP_LAST
//   fault_driver check REPOSITORY               verify, compare all disks with
//                                               their state; prints NUMBER STEP
//
// A backup reads what changed since the state of the newest point, as a dirty
// bitmap would name it. Exit status: 0, 1 (failed), 4 (a check failed).

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "format/base/error.h"
#include "format/repository/retention.h"
#include "format/repository/verify.h"
#include "tests/support/content.h"
#include "tests/support/scripted_disk.h"

namespace {

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)
using test::ScriptedDisk;
using test::ScriptedDisks;
using test::Sequence;

constexpr const char* kDomain = "vm";
constexpr uint64_t kDiskBytes = 40 * kChunkBytes + 1000;

// One step in the life of the machine: writes, zeroes, a resize now and then.
void advance(ScriptedDisks& disks, unsigned step) {
  Sequence sequence(step);
  for (auto& [name, disk] : disks) {
    for (int i = 0; i < 4; ++i) {
      const uint64_t chunk = sequence.below(disk.size() / kChunkBytes);
      const uint64_t seed = sequence.next();
      if (i == 2) {
        disk.zero(chunk * kChunkBytes, kChunkBytes);
      } else if (i == 3) {
        disk.write(chunk * kChunkBytes, test::random_bytes(seed));
      } else {
        disk.write(chunk * kChunkBytes + 100, test::text_bytes(seed, 5000));
      }
    }
    if (step % 3 == 0) disk.resize(disk.size() + 3 * kChunkBytes + 77);
  }
}

// The machine at state `to`; dirty is what changed after state `from`.
ScriptedDisks state(unsigned from, unsigned to) {
  ScriptedDisks disks;
  disks.emplace("vda", ScriptedDisk(kDiskBytes));
  disks.emplace("vdb", ScriptedDisk(2 * kChunkBytes));
  for (unsigned step = 1; step <= to; ++step) {
    advance(disks, step);
    if (step == from)
      for (auto& [name, disk] : disks) disk.clean();
  }
  return disks;
}

unsigned step_of(const Manifest& manifest) {
  return static_cast<unsigned>(manifest.time.time_since_epoch().count());
}

Level parse_level(const std::string& text) {
  if (text == "full") return Level::kFull;
  if (text == "differential") return Level::kDifferential;
  return Level::kIncremental;
}

int backup(const Repository& repository, unsigned step,
           const std::string& level) {
  const Domain domain = repository.create_domain(kDomain);
  const WriterLock lock(domain);
  test::PointOptions options;
  options.level = parse_level(level);
  options.time = Time(std::chrono::milliseconds(step));
  unsigned from = 0;
  if (level != "full")
    from = step_of(domain.open_point(domain.points().back()).manifest());
  ScriptedDisks disks = state(from, step);
  test::make_point(repository, domain, disks, options);
  return 0;
}

int remove(const Repository& repository, std::vector<uint32_t> numbers) {
  const Domain domain = repository.domain(kDomain);
  const WriterLock lock(domain);
  // One that is gone already is what a run before this one achieved.
  const std::vector<uint32_t> there = domain.points();
  std::erase_if(numbers, [&](uint32_t number) {
    return std::ranges::find(there, number) == there.end();
  });
  delete_points(domain, numbers, lock);
  return 0;
}

int prune(const Repository& repository, unsigned keep_last) {
  const Domain domain = repository.domain(kDomain);
  const WriterLock lock(domain);
  std::vector<Time> times;
  std::vector<uint32_t> numbers = domain.points();
  for (const Point& point : domain.open_points())
    times.push_back(point.manifest().time);
  KeepPolicy policy;
  policy.last = keep_last;
  const auto keeps = apply_policy(times, policy);
  std::vector<uint32_t> dead;
  for (size_t i = 0; i < keeps.size(); ++i)
    if (keeps[i].empty()) dead.push_back(numbers[i]);
  delete_points(domain, dead, lock);
  return 0;
}

bool point_is_right(const Point& point) {
  const unsigned step = step_of(point.manifest());
  const ScriptedDisks disks = state(0, step);
  bool right = disks.size() == point.manifest().disks.size();
  for (const auto& [name, disk] : disks)
    right = right && test::read_disk(point, name) == test::expected_bytes(disk);
  std::printf("%u %u\n", point.number(), step);
  if (!right)
    std::fprintf(stderr, "point %u is not state %u\n", point.number(), step);
  return right;
}

int check(const Repository& repository) {
  bool right = true;
  for (const Domain& domain : repository.domains()) {
    for (const Finding& finding : verify_domain(domain, {}).findings) {
      std::fprintf(stderr, "verify: %s\n", finding.what.c_str());
      right = false;
    }
    for (const Point& point : domain.open_points())
      right = point_is_right(point) && right;
  }
  return right ? 0 : 4;
}

int run(const std::vector<std::string>& words) {
  const std::string& command = words.at(0);
  if (command == "init") {
    Repository::create(words.at(1));
    return 0;
  }
  const Repository repository = Repository::open(words.at(1));
  if (command == "check") return check(repository);
  const auto number = static_cast<unsigned>(std::stoul(words.at(2)));
  if (command == "backup") return backup(repository, number, words.at(3));
  if (command == "prune") return prune(repository, number);
  std::vector<uint32_t> numbers;
  for (size_t i = 2; i < words.size(); ++i)
    numbers.push_back(static_cast<uint32_t>(std::stoul(words[i])));
  return remove(repository, numbers);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault_driver: %s\n", error.what());
    return 1;
  }
}
