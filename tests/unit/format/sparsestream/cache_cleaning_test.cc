#include "format/sparsestream/cache_cleaning.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "format/sparsestream/cache_directory.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;
using std::chrono::days;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kEnough = 1 << 30;

class CacheCleaningTest : public ::testing::Test {
 protected:
  CacheCleaningTest() {
    ::setenv("XDG_CACHE_HOME", (directory_.path() / "cache").c_str(), 1);
    // Nothing is cleaned that is not asked for here.
    ::setenv("BACKSTITCH_CACHE_LIMIT", "1G", 1);
  }
  void TearDown() override { ::unsetenv("BACKSTITCH_CACHE_LIMIT"); }

  // An archive's file with an index and a window in the cache, used `age` ago.
  StoredPlace add(const std::string& name, Clock::duration age) {
    StoredPlace place = place_of(name);
    fs::create_directories(place.path.parent_path());
    write_new_file(place.path, name);
    place.stamp = stamp_of(place.path);
    place.length = place.stamp.size;
    const auto before = files();
    save_pieces(place, pieces_);
    const WindowStore windows(place);
    windows.save(1, {1, 2, Bytes(kLz4WindowBytes, std::byte{7})});
    for (const fs::path& file : files()) {
      if (std::ranges::find(before, file) == before.end()) set_age(file, age);
    }
    return place;
  }

  StoredPlace place_of(const std::string& name) const {
    StoredPlace place;
    place.path = directory_.path() / name;
    place.name = place.path.filename();
    return place;
  }

  void set_age(const fs::path& path, Clock::duration age) const {
    const std::time_t then = Clock::to_time_t(now_ - age);
    const std::array<timespec, 2> times = {timespec{then, 0},
                                           timespec{then, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(cache_directory(), code))
      found.push_back(entry.path());
    return found;
  }

  void clean(uint64_t limit = kEnough) const {
    clean_cache(cache_directory(), limit, now_);
  }

  // Whatever became of it.
  fs::path index_of(const StoredPlace& place) const {
    const std::string key = place.path.string() + "\n" + place.name;
    return cache_directory() / (to_hex(hash_of(key)) + ".index");
  }

  // An index and its window, or neither.
  bool is_kept(const StoredPlace& place) const {
    const bool has_index = load_pieces(place).has_value();
    const WindowStore windows(place);
    EXPECT_EQ(windows.load(1).has_value(), has_index);
    return has_index;
  }

  const test::TempDir directory_;
  const Clock::time_point now_ = Clock::now();
  const std::vector<StreamPiece> pieces_ = {{0, 3, 1, 2}};
};

TEST_F(CacheCleaningTest, WhatIsThereStays) {
  const auto place = add("a/vda.full.data", days(900));
  clean();
  EXPECT_TRUE(is_kept(place));
}

TEST_F(CacheCleaningTest, WhatIsGoneOrChangedGoes) {
  const auto kept = add("a/kept.data", hours(1));
  const auto gone = add("a/gone.data", hours(1));
  const auto changed = add("a/changed.data", hours(1));
  fs::remove(gone.path);
  fs::remove(changed.path);
  write_new_file(changed.path, "what is new");
  clean();
  EXPECT_EQ(files().size(), 2U);
  EXPECT_TRUE(is_kept(kept));
}

TEST_F(CacheCleaningTest, WhatMayBeMountedAgainStaysForAWhile) {
  const auto lately = add("b/lately.data", days(29));
  add("b/long_ago.data", days(31));
  fs::rename(directory_.path() / "b", directory_.path() / "unmounted");
  clean();
  EXPECT_EQ(files().size(), 2U);
  fs::rename(directory_.path() / "unmounted", directory_.path() / "b");
  EXPECT_TRUE(is_kept(lately));
}

TEST_F(CacheCleaningTest, WhatWasUsedLongestAgoMakesRoom) {
  std::vector<StoredPlace> places;  // used longest ago first
  for (int i = 0; i < 8; ++i)
    places.push_back(add("a/" + std::to_string(i), days(20 - i)));
  ASSERT_TRUE(load_pieces(places.front()));  // that is a use
  std::rotate(places.begin(), places.begin() + 1, places.end());
  uint64_t all = 0;
  for (const fs::path& file : files()) {
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    all += static_cast<uint64_t>(status.st_blocks) * 512;
  }
  clean(all);
  EXPECT_EQ(files().size(), 16U);
  clean(all / 2);
  ASSERT_EQ(files().size(), 8U);
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(origin_of_index(index_of(places[i])).has_value(), i >= 4) << i;
  }
  clean(0);
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(CacheCleaningTest, OnlyItsOwnFilesAreRemoved) {
  const auto place = add("a/vda.full.data", hours(1));
  const fs::path index = files().front().replace_extension(".index");
  const std::string key = index.stem();
  const auto put = [&](const std::string& name, Clock::duration age) {
    write_new_file(cache_directory() / name, "?");
    set_age(cache_directory() / name, age);
  };
  put("note.index", days(99));
  put(key + ".index.txt", days(99));
  put("." + key + ".index.1", hours(2));
  put("." + key + ".index.2", hours(0));
  put(std::string(32, 'a') + ".index", hours(0));    // no index
  put(std::string(32, 'b') + ".windows", hours(0));  // nobody's
  clean(0);
  auto left = files();
  std::ranges::sort(left);
  EXPECT_THAT(left, ElementsAre(cache_directory() / ("." + key + ".index.2"),
                                cache_directory() / (key + ".index.txt"),
                                cache_directory() / "note.index"));
}

TEST_F(CacheCleaningTest, AWindowStoreEndsWithItsFile) {
  const auto place = add("a/vda.full.data", hours(1));
  const WindowStore windows(place);
  ASSERT_TRUE(windows.load(1));
  clean(0);
  windows.save(2, {1, 2, Bytes(kLz4WindowBytes)});
  EXPECT_FALSE(windows.load(2));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(CacheCleaningTest, WhatIsAddedIsCountedAndCleaned) {
  constexpr uint64_t kLimit = uint64_t{1} << 30;  // as said above
  const auto gone = add("a/gone.data", hours(1));
  note_cached(cache_directory(), kLimit);  // begins to count
  ASSERT_EQ(files().size(), 2U);
  fs::remove(gone.path);
  note_cached(cache_directory(), kLimit / 8);
  EXPECT_EQ(files().size(), 2U);
  note_cached(cache_directory(), 1);
  EXPECT_THAT(files(), IsEmpty());
  // Windows are counted.
  fs::remove(add("a/gone.data", hours(1)).path);
  note_cached(cache_directory(), kLimit / 8 - 3 * kLz4WindowBytes / 2);
  EXPECT_EQ(files().size(), 2U);
  add("a/vda.full.data", hours(0));
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(CacheCleaningTest, TheLimit) {
  ::setenv("BACKSTITCH_CACHE_LIMIT", "20G", 1);
  EXPECT_EQ(cache_limit(), uint64_t{20} << 30);
  ::setenv("BACKSTITCH_CACHE_LIMIT", "much", 1);
  EXPECT_EQ(cache_limit(), uint64_t{4} << 30);
  ::unsetenv("BACKSTITCH_CACHE_LIMIT");
  EXPECT_EQ(cache_limit(), uint64_t{4} << 30);
}

}  // namespace
}  // namespace backstitch::format
