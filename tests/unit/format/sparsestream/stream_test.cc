#include "format/sparsestream/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <lz4frame.h>

#include <cstdlib>
#include <random>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace backstitch::format {
namespace {

using test::expect_error;

constexpr uint64_t kDiskBytes = 9 * kSegmentBytes + 12345;

// Text-like and random stretches: blocks of both kinds.
Bytes make_content() {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp)
  Bytes content(kDiskBytes);
  for (size_t at = 0; at < content.size(); ++at) {
    const bool is_text = at / 300'000 % 3 != 0;
    content[at] = std::byte(is_text ? 'a' + at % 7 + random() % 3 : random());
  }
  return content;
}

std::string header(const std::string& kind, uint64_t start, uint64_t length) {
  char text[64];
  std::snprintf(text, sizeof text, "%s %016lx %016lx\r\n", kind.c_str(), start,
                length);
  return text;
}

// A stream with one data frame.
std::string make_stream(const Bytes& content, LZ4F_blockSizeID_t block_size) {
  LZ4F_preferences_t how{};
  how.frameInfo.blockSizeID = block_size;
  how.frameInfo.contentSize = content.size();
  how.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  how.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  std::string packed(LZ4F_compressFrameBound(content.size(), &how), '\0');
  packed.resize(LZ4F_compressFrame(packed.data(), packed.size(), content.data(),
                                   content.size(), &how));
  const std::string size = std::to_string(content.size());
  const std::string meta = R"({"virtualSize": )" + size + R"(, "dataSize": )" +
                           size + R"(, "streamVersion": 2, "compressed": 1})";
  const std::string sizes = "[" + std::to_string(packed.size()) + "]";
  return header("meta", 0, meta.size()) + meta + "\r\n" +
         header("data", 0, content.size()) + packed + "\r\n" +
         header("stop", 0, 0) + sizes + "\r\n" +
         header("comp", 0, sizes.size());
}

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() { ::setenv("XDG_CACHE_HOME", cache().c_str(), 1); }

  std::filesystem::path cache() const { return directory_.path() / "cache"; }

  StoredPlace write(const std::string& bytes) const {
    StoredPlace place;
    place.name = "vda.full.data";
    place.path = directory_.path() / place.name;
    std::filesystem::remove(place.path);
    write_new_file(place.path, bytes);
    place.stamp = stamp_of(place.path);
    place.length = place.stamp.size;
    return place;
  }

  // At random places, each time with nothing decoded yet.
  void check_random_reads(const StoredPlace& place, const Bytes& content) {
    for (int i = 0; i < 30; ++i) {
      StreamPool pool;
      const auto stream = pool.open(place, false);
      ASSERT_EQ(stream->pieces().size(), 1U);
      Bytes got(random_() % 5000 + 1);
      const uint64_t at = random_() % (content.size() - got.size());
      stream->read(0, at, got);
      ASSERT_TRUE(std::equal(got.begin(), got.end(),
                             content.begin() + static_cast<long>(at)))
          << "at " << at;
    }
  }

  const test::TempDir directory_;
  std::mt19937 random_{11};  // NOLINT(cert-msc51-cpp)
};

TEST_F(StreamTest, RandomReadsInOneLargeFrame) {
  const Bytes content = make_content();
  for (const auto size :
       {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    SCOPED_TRACE(size);
    check_random_reads(write(make_stream(content, size)), content);
  }
}

TEST_F(StreamTest, DecodingBeginsAtAWindow) {
  const Bytes content = make_content();
  std::string bytes = make_stream(content, LZ4F_max64KB);
  const StoredPlace place = write(bytes);
  check_random_reads(place, content);
  Bytes all(content.size());
  StreamPool().open(place, false)->read(0, 0, all);
  EXPECT_EQ(all, content);
  // What lies before the last window is not looked at any more.
  const File file = File::open(place.path, O_RDWR);
  const Bytes noise(1000, std::byte{0x55});
  file.write_at(bytes.size() / 4, noise);
  Bytes got(4096);
  const uint64_t end = content.size() - got.size();
  const auto stream = StreamPool().open(place, false);
  stream->read(0, end, got);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), content.begin() + end));
  expect_error(ErrorKind::kDamaged, "vda.full.data: the LZ4 frame",
               [&] { stream->read(0, content.size() / 4, got); });
}

TEST_F(StreamTest, DamagedWindowsAreNotUsed) {
  const Bytes content = make_content();
  const StoredPlace place = write(make_stream(content, LZ4F_max64KB));
  check_random_reads(place, content);
  for (const auto& entry :
       std::filesystem::directory_iterator(cache() / "backstitch")) {
    const File file = File::open(entry.path(), O_RDWR);
    for (int i = 0; i < 40; ++i) {
      const std::byte noise{static_cast<unsigned char>(random_())};
      file.write_at(random_() % file.size(), ByteView(&noise, 1));
    }
  }
  check_random_reads(place, content);
}

}  // namespace
}  // namespace backstitch::format
