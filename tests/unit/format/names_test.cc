#include "format/repository/names.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace backstitch::format {
namespace {

using test::expect_error;

TEST(DomainName, WhatMayBe) {
  for (const std::string& name :
       {std::string("vm1"), std::string("a"), std::string("my machine"),
        std::string("web-1.example.org"), std::string("\u00fcml\u00e4ut"),
        std::string("a..b"), std::string("-r"), std::string(200, 'x')}) {
    EXPECT_NO_THROW(check_domain_name(name)) << name;
  }
}

TEST(DomainName, WhatMayNot) {
  for (const std::string& name : {std::string(),
                                  std::string("."),
                                  std::string(".."),
                                  std::string("../x"),
                                  std::string("a/b"),
                                  std::string("/"),
                                  std::string("/etc"),
                                  std::string(".hidden"),
                                  std::string("a\nb"),
                                  std::string("a\x1b[31m"),
                                  std::string("a\x7f"),
                                  std::string("a\0b", 3),
                                  std::string(201, 'x'),
                                  std::string(300, 'x'),
                                  std::string("\xff\xfe"),
                                  std::string("\xc0\xaf"),
                                  std::string("\xed\xa0\x80"),
                                  std::string("\xe0\x80\xaf"),
                                  std::string("\xc3"),
                                  std::string("repository.json")}) {
    SCOPED_TRACE(printable(name));
    expect_error(ErrorKind::kUsage, "", [&] { check_domain_name(name); });
  }
}

TEST(DomainName, TheMessageIsOneLine) {
  try {
    check_domain_name("a\nb\x1b");
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
    EXPECT_LT(message.size(), 400U);
  }
}

TEST(DiskName, Rules) {
  for (const std::string& name :
       {std::string("vda"), std::string("sd_a-1"), std::string(63, 'x')})
    EXPECT_NO_THROW(check_disk_name(name)) << name;
  for (const std::string& name :
       {std::string(), std::string("a.b"), std::string("a/b"),
        std::string(".."), std::string("a b"), std::string("\u00e4"),
        std::string("a\n"), std::string("a\0", 2), std::string(64, 'x')}) {
    SCOPED_TRACE(printable(name));
    expect_error(ErrorKind::kUsage, "", [&] { check_disk_name(name); });
  }
}

TEST(SideFileName, Rules) {
  for (const std::string& name :
       {std::string("domain.xml"), std::string("nvram.fd"),
        std::string("vda.qcow2"), std::string(100, 'x')})
    EXPECT_NO_THROW(check_side_file_name(name)) << name;
  for (const std::string& name :
       {std::string(), std::string(".x"), std::string(".."), std::string("a/b"),
        std::string("point.json"), std::string("vda.map"),
        std::string("vda.data"), std::string("a\n"), std::string(101, 'x')}) {
    SCOPED_TRACE(printable(name));
    expect_error(ErrorKind::kUsage, "", [&] { check_side_file_name(name); });
  }
}

TEST(PointName, ThereAndBack) {
  EXPECT_EQ(point_name(7), "000007");
  EXPECT_EQ(point_name(1234567), "1234567");
  for (const uint32_t number : {1U, 7U, 999999U, 1000000U, UINT32_MAX})
    EXPECT_EQ(point_number(point_name(number)), number);
}

// One number has one name: otherwise two directories could be the same point.
TEST(PointName, NothingElseIsOne) {
  for (const char* name : {"", "7", "00007", "0000007", "000000", ".new-000007",
                           "000007x", "x00007", "-00007", "+00007",
                           "4294967296", "99999999999999999999", "lock"}) {
    EXPECT_EQ(point_number(name), 0U) << name;
  }
}

TEST(Printable, ControlCharactersAreEscaped) {
  EXPECT_EQ(printable("vm1 \u00e4"), "vm1 \u00e4");
  EXPECT_EQ(printable("a\nb"), "a\\x0ab");
  EXPECT_EQ(printable("\x1b[0m\x7f"), "\\x1b[0m\\x7f");
}

}  // namespace
}  // namespace backstitch::format
