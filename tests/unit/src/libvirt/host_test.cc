#include "src/libvirt/host.h"

#include <gtest/gtest.h>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

TEST(Uri, ComesApart) {
  const UriParts full =
      parse_uri("qemu+ssh://root@host.example:2222/system?keyfile=/k&x=1");
  EXPECT_EQ(full.driver, "qemu");
  EXPECT_EQ(full.transport, "ssh");
  EXPECT_EQ(full.user, "root");
  EXPECT_EQ(full.host, "host.example");
  EXPECT_EQ(full.port, "2222");
  EXPECT_EQ(full.query, "keyfile=/k&x=1");
  const UriParts local = parse_uri("qemu:///system");
  EXPECT_EQ(local.driver, "qemu");
  EXPECT_EQ(local.transport + local.user + local.host + local.port, "");
  const UriParts bracketed = parse_uri("qemu+tls://[fe80::1]:99/system");
  EXPECT_EQ(bracketed.host, "fe80::1");
  EXPECT_EQ(bracketed.port, "99");
  EXPECT_EQ(parse_uri("qemu+tls://[::1]/system").host, "::1");
  EXPECT_EQ(parse_uri("nonsense").host, "");
}

TEST(Host, IsWhereTheUriLeads) {
  EXPECT_TRUE(host_of("qemu:///system")->local());
  EXPECT_TRUE(host_of("qemu+unix:///system?socket=/x")->local());
  EXPECT_FALSE(host_of("qemu+ssh://h/system")->local());
  EXPECT_THROW(host_of("qemu+tls://h/system")->run({"true"}), Error);
}

// A wrapper named in the URI stands in for ssh, as it does for libvirt.
TEST(Host, RunsCommandsWordForWordOverSsh) {
  const auto host = host_of("qemu+ssh://h/system?command=/bin/echo");
  const std::string shown = host->run({"stat", "it's", "a b", "$x"});
  EXPECT_NE(shown.find("-- h 'stat' 'it'\\''s' 'a b' '$x'"), std::string::npos)
      << shown;
}

}  // namespace
}  // namespace backstitch::engine
