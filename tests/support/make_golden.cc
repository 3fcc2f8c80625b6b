// Makes the golden repository of this format version:
//
//   make_golden DIRECTORY > EXPECTED      (DIRECTORY must not exist)
//
// EXPECTED gets the XXH3-128 and the name of every disk of every point, from
// what the disks were before they went through the format.
//
// The same program gives the same content in every run; what is random in the
// repository (its id, the points' ids, times) does not matter to its readers.
// The result lies under tests/data/golden-1 and is not made again unless the
// format's version changes: it must stay readable for ever.

#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "format/repository/names.h"
#include "format/repository/retention.h"
#include "tests/support/content.h"
#include "tests/support/scripted_disk.h"

namespace {

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)
using test::PointOptions;
using test::ScriptedDisk;
using test::ScriptedDisks;
using test::text_bytes;

constexpr uint64_t kChunk = kChunkBytes;

// "machine/000001/vda" to the hash of what must be read there.
using Expected = std::map<std::string, std::string>;

// Makes points one after the other and writes down what each must hold.
class Maker {
 public:
  Maker(const Repository& repository, const std::string& name,
        Expected& expected)
      : repository_(repository),
        domain_(repository.create_domain(name)),
        lock_(domain_),
        expected_(expected) {}

  ScriptedDisk& add(const std::string& name, uint64_t size_bytes) {
    return disks_.emplace(name, ScriptedDisk(size_bytes)).first->second;
  }

  void point(const char* time, std::optional<Level> level = {}) {
    PointOptions options;
    options.level = level;
    options.time = parse_time(time);
    const uint32_t number =
        test::make_point(repository_, domain_, disks_, options);
    for (const auto& [name, disk] : disks_) {
      expected_[prefix(number) + name] =
          to_hex(hash_of(test::expected_bytes(disk)));
    }
  }

  void remove(uint32_t number) {
    delete_points(domain_, {number}, lock_);
    for (const auto& [name, disk] : disks_)
      expected_.erase(prefix(number) + name);
  }

 private:
  std::string prefix(uint32_t number) const {
    return domain_.name() + "/" + point_name(number) + "/";
  }

  const Repository& repository_;
  const Domain domain_;
  const WriterLock lock_;
  Expected& expected_;
  ScriptedDisks disks_;
};

// A chain with a stored chunk, zeroes, a disk that grows past a level of the
// tree, one that ends amid a chunk, grows and shrinks, and a deleted point
// that others still need.
void make_machine(const Repository& repository, Expected& expected) {
  Maker maker(repository, "machine", expected);
  ScriptedDisk& vda = maker.add("vda", 5 << 20);
  ScriptedDisk& vdb = maker.add("vdb", 100000);
  for (const uint64_t n : {0, 1, 5, 40, 70, 79})
    vda.write(n * kChunk, text_bytes(n, 3000));
  vda.write(3 * kChunk, test::random_bytes(3));
  vdb.write(60000, text_bytes(1000, 7000));
  vdb.write(90000, text_bytes(1001, 10000));
  maker.point("2026-01-01T10:00:00.000Z");

  vda.write(200, text_bytes(2000, 100));
  maker.point("2026-01-02T10:00:00.000Z", Level::kDifferential);

  vda.write(kChunk + 4096, text_bytes(3000, 3000));
  vda.zero(5 * kChunk, kChunk);
  vda.zero(70 * kChunk + 1000, 2 * kChunk);
  vda.write(30 * kChunk, text_bytes(3001, kChunk + 3000));
  vdb.resize(200000);
  vdb.write(180000, text_bytes(3002, 20000));
  maker.point("2026-01-03T10:00:00.000Z");

  vda.write(30 * kChunk, text_bytes(4000, 1000));
  vda.resize((20 << 20) + 5000);
  vda.write(20 << 20, text_bytes(4001, 5000));
  vdb.resize(70000);
  maker.point("2026-01-04T10:00:00.000Z");
  maker.remove(3);
}

// A chain whose full is deleted, a copy beside it, a disk of one chunk, and
// one without data that comes later.
void make_other(const Repository& repository, Expected& expected) {
  Maker maker(repository, "other machine", expected);
  maker.add("one-chunk", 512).write(0, text_bytes(10, 512));
  maker.point("2026-02-01T10:00:00.000Z");
  maker.point("2026-02-02T10:00:00.000Z", Level::kCopy);
  maker.add("empty", 1 << 20);
  maker.point("2026-02-03T10:00:00.000Z", Level::kIncremental);
  maker.remove(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_golden DIRECTORY\n");
    return 2;
  }
  try {
    const Repository repository = Repository::create(argv[1]);
    Expected expected;
    make_machine(repository, expected);
    make_other(repository, expected);
    for (const auto& [name, hash] : expected)
      std::printf("%s  %s\n", hash.c_str(), name.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_golden: %s\n", error.what());
    return 1;
  }
  return 0;
}
