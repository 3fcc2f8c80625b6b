#include "format/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <type_traits>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace backstitch {
namespace {

using test::expect_error;
using test::TempDir;

static_assert(!std::is_copy_constructible_v<Fd>);
static_assert(std::is_nothrow_move_constructible_v<Fd>);

ByteView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(Fd, ClosesWhatItOwnsOnce) {
  int number = -1;
  {
    Fd first(::open("/dev/null", O_RDONLY));
    number = first.get();
    Fd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.get(), number);
    second = Fd(::open("/dev/zero", O_RDONLY));
    EXPECT_FALSE(is_open(number));
    number = second.get();
  }
  EXPECT_FALSE(is_open(number));
}

TEST(File, DescriptorsAreNotInherited) {
  const File file = File::open("/dev/null", O_RDONLY);
  EXPECT_NE(::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(File, WritesAndReadsAtOffsets) {
  const TempDir dir;
  const File file = File::open(dir.path() / "f", O_RDWR | O_CREAT);
  file.write_at(5, bytes_of("world"));
  file.write_at(0, bytes_of("hello"));
  file.sync();
  EXPECT_EQ(file.size(), 10U);
  EXPECT_EQ(read_text(dir.path() / "f"), "helloworld");
}

TEST(File, AnEndTooEarlyIsDamage) {
  const TempDir dir;
  write_new_file(dir.path() / "f", "0123456789");
  const File file = File::open(dir.path() / "f", O_RDONLY);
  Bytes out(8);
  file.read_at(2, out);
  expect_error(ErrorKind::kDamaged, "ends at offset 10, 3 bytes",
               [&] { file.read_at(5, out); });
}

TEST(File, ErrorsNameThePath) {
  const TempDir dir;
  expect_error(ErrorKind::kNotFound,
               "cannot open " + (dir.path() / "none").string(),
               [&] { File::open(dir.path() / "none", O_RDONLY); });
  const File readonly = File::open("/dev/null", O_RDONLY);
  expect_error(ErrorKind::kFailed, "/dev/null at offset 3",
               [&] { readonly.write_at(3, bytes_of("x")); });
}

TEST(File, AFullDiskIsAnError) {
  const File full = File::open("/dev/full", O_WRONLY);
  try {
    full.write_at(0, bytes_of("x"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.system_errno(), ENOSPC);
  }
}

TEST(File, PunchedHolesReadAsZeroes) {
  const TempDir dir;
  write_new_file(dir.path() / "f", std::string(20000, 'x'));
  const File file = File::open(dir.path() / "f", O_RDWR);
  file.punch_hole(100, 15000);
  file.punch_hole(0, 0);
  EXPECT_EQ(read_text(dir.path() / "f"), std::string(100, 'x') +
                                             std::string(15000, '\0') +
                                             std::string(4900, 'x'));
}

TEST(ReadText, RefusesWhatIsTooLong) {
  const TempDir dir;
  write_new_file(dir.path() / "f", "12345");
  EXPECT_EQ(read_text(dir.path() / "f", 5), "12345");
  expect_error(ErrorKind::kDamaged, "5 bytes are too many",
               [&] { read_text(dir.path() / "f", 4); });
}

TEST(WriteNewFile, NeverTouchesAnOldOne) {
  const TempDir dir;
  write_new_file(dir.path() / "f", "old");
  expect_error(ErrorKind::kFailed, "File exists",
               [&] { write_new_file(dir.path() / "f", "new"); });
  EXPECT_EQ(read_text(dir.path() / "f"), "old");
  struct stat status {};
  ASSERT_EQ(::stat((dir.path() / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(RenamePath, ReplacesOnlyWhenAsked) {
  const TempDir dir;
  write_new_file(dir.path() / "a", "a");
  write_new_file(dir.path() / "b", "b");
  expect_error(ErrorKind::kFailed, "cannot rename",
               [&] { rename_path(dir.path() / "a", dir.path() / "b"); });
  rename_path(dir.path() / "a", dir.path() / "b", true);
  EXPECT_EQ(read_text(dir.path() / "b"), "a");
  expect_error(ErrorKind::kNotFound, "cannot rename",
               [&] { rename_path(dir.path() / "a", dir.path() / "c"); });
}

TEST(RemoveTree, WhatIsNotThereIsNoError) {
  const TempDir dir;
  std::filesystem::create_directories(dir.path() / "x/y");
  write_new_file(dir.path() / "x/y/f", "f");
  remove_tree(dir.path() / "x");
  remove_tree(dir.path() / "x");
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "x"));
}

}  // namespace
}  // namespace backstitch
