#include "src/libvirt/host.h"

#include <sys/statvfs.h>

#include <cerrno>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/libvirt/ssh_host.h"

namespace backstitch::engine {
namespace {

class LocalTunnel : public Host::Tunnel {
 public:
  explicit LocalTunnel(std::string socket) : socket_(std::move(socket)) {}
  std::string socket() const override { return socket_; }

 private:
  const std::string socket_;
};

class LocalHost : public Host {
 public:
  bool local() const override { return true; }
  std::string run(const Arguments& arguments,
                  const std::string& input) const override {
    return engine::run(arguments, arguments.at(0), input);
  }
  std::string read_file(const std::string& path,
                        uint64_t limit) const override {
    return read_text(path, limit);
  }
  uint64_t free_bytes(const std::string& directory) const override {
    struct statvfs status {};
    if (::statvfs(directory.c_str(), &status) != 0)
      throw system_error(errno, "look for free space in " + directory);
    return status.f_bavail * status.f_frsize;
  }
  std::unique_ptr<Tunnel> reach(const std::string& socket) const override {
    return std::make_unique<LocalTunnel>(socket);
  }
};

class FarHost : public Host {
 public:
  explicit FarHost(std::string uri) : uri_(std::move(uri)) {}
  std::string run(const Arguments&, const std::string&) const override {
    throw out_of_reach();
  }
  std::string read_file(const std::string&, uint64_t) const override {
    throw out_of_reach();
  }
  uint64_t free_bytes(const std::string&) const override {
    throw out_of_reach();
  }
  std::unique_ptr<Tunnel> reach(const std::string&) const override {
    throw out_of_reach();
  }

 private:
  Error out_of_reach() const {
    return Error(ErrorKind::kUnsupported,
                 "files of the host of " + uri_ +
                     " cannot be reached (qemu+ssh:// can)");
  }
  const std::string uri_;
};

// The part that is written first is nobody's: one that was left by a host that
// went down is overwritten.
constexpr char kWriteFile[] =
    "umask 066; part=\"$1.backstitch\"; mkdir -p -- \"${1%/*}\" && "
    "cat >\"$part\" && sync -- \"$part\" && mv -f -- \"$part\" \"$1\" && exit;"
    "rm -f -- \"$part\"; exit 1";

}  // namespace

bool exists_at(const Host& host, const std::string& path) {
  return !host.run({"sh", "-c", "test ! -e \"$1\" || echo yes", "sh", path})
              .empty();
}

void write_file_at(const Host& host, const std::string& path,
                   const std::string& content) {
  try {
    host.run({"sh", "-c", kWriteFile, "sh", path}, content);
  } catch (const Error& error) {
    throw add_context(error, "cannot write " + path);
  }
}

void remove_file_at(const Host& host, const std::string& path) {
  host.run({"rm", "-f", "--", path});
}

UriParts parse_uri(const std::string& uri) {
  UriParts parts;
  const size_t colon = uri.find("://");
  if (colon == std::string::npos) return parts;
  const std::string scheme = uri.substr(0, colon);
  const size_t plus = scheme.find('+');
  parts.driver = scheme.substr(0, plus);
  if (plus != std::string::npos) parts.transport = scheme.substr(plus + 1);
  const size_t begin = colon + 3;
  const size_t slash = uri.find('/', begin);
  std::string authority = uri.substr(begin, slash - begin);
  if (const size_t at = authority.rfind('@'); at != std::string::npos) {
    parts.user = authority.substr(0, at);
    authority.erase(0, at + 1);
  }
  // [::1]:22 has colons of its own in brackets.
  const size_t bracket = authority.rfind(']');
  const size_t port = authority.rfind(':');
  if (port != std::string::npos &&
      (bracket == std::string::npos || port > bracket)) {
    parts.port = authority.substr(port + 1);
    authority.erase(port);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  parts.host = authority;
  if (const size_t question = uri.find('?'); question != std::string::npos)
    parts.query = uri.substr(question + 1);
  return parts;
}

std::unique_ptr<Host> host_of(const std::string& uri) {
  const UriParts parts = parse_uri(uri);
  const bool over_ssh = parts.transport == "ssh" ||
                        parts.transport == "libssh" ||
                        parts.transport == "libssh2";
  if (over_ssh) return make_ssh_host(parts);
  if (parts.host.empty() || parts.transport == "unix")
    return std::make_unique<LocalHost>();
  return std::make_unique<FarHost>(uri);
}

}  // namespace backstitch::engine
