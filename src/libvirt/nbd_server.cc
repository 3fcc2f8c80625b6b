#include "src/libvirt/nbd_server.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <array>

#include "format/base/bytes.h"
#include "format/base/error.h"

namespace backstitch::engine {
namespace {

std::string random_name() {
  std::array<std::byte, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) !=
      static_cast<ssize_t>(bytes.size())) {
    throw Error(ErrorKind::kFailed, "cannot get random bytes");
  }
  return to_hex(ByteView(bytes));
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// A directory that QEMU's user can make a socket in and other users cannot look
// into. libvirt's own for this domain is that, and confined QEMUs may go there;
// where we may not, one of ours with a name that nobody can guess.
class SocketPlace {
 public:
  SocketPlace(Guest& guest, const Host& host) : host_(host) {
    const std::string id = std::to_string(virDomainGetID(guest.get()));
    directory_ = try_run(
        {"sh", "-c",
         "cd /var/lib/libvirt/qemu/domain-" + id + "-* && test -w . && pwd"});
    if (directory_.empty()) make_own();
    socket_ = directory_ + "/backstitch-" + random_name().substr(0, 8);
  }
  SocketPlace(const SocketPlace&) = delete;
  SocketPlace& operator=(const SocketPlace&) = delete;
  ~SocketPlace() {
    try_run(own_.empty() ? Arguments{"rm", "-f", "--", socket_}
                         : Arguments{"rm", "-rf", "--", own_});
  }

  const std::string& socket() const { return socket_; }

 private:
  std::string try_run(const Arguments& arguments) const noexcept {
    try {
      return first_line(host_.run(arguments));
    } catch (...) {
      return {};
    }
  }
  void make_own() {
    own_ = first_line(host_.run({"mktemp", "-d", "/tmp/backstitch-XXXXXX"}));
    directory_ = own_ + "/" + random_name();
    host_.run({"mkdir", "--mode=0733", "--", directory_});
    host_.run({"chmod", "0733", "--", directory_});
    host_.run({"chmod", "0711", "--", own_});
  }

  const Host& host_;
  std::string directory_;
  std::string own_;
  std::string socket_;
};

class UnixServer : public NbdServer {
 public:
  UnixServer(Guest& guest, const Host& host)
      : host_(host), place_(guest, host) {}

  void describe(pugi::xml_node server) const override {
    server.append_attribute("transport") = "unix";
    server.append_attribute("socket") = place_.socket().c_str();
  }
  NbdAddress address(const std::string& export_name) override {
    if (!tunnel_) tunnel_ = host_.reach(place_.socket());
    NbdAddress address;
    address.socket = tunnel_->socket();
    address.export_name = export_name;
    return address;
  }

 private:
  const Host& host_;
  const SocketPlace place_;
  std::unique_ptr<Host::Tunnel> tunnel_;
};

class TlsServer : public NbdServer {
 public:
  TlsServer(const ServerOptions& options, std::string host)
      : options_(options), host_(std::move(host)) {}

  void describe(pugi::xml_node server) const override {
    server.append_attribute("tls") = "yes";
    server.append_attribute("transport") = "tcp";
    server.append_attribute("name") = host_.c_str();
    server.append_attribute("port") = options_.port;
  }
  NbdAddress address(const std::string& export_name) override {
    NbdAddress address;
    address.export_name = export_name;
    address.host = host_;
    address.port = std::to_string(options_.port);
    address.tls_certificates = options_.tls_certificates;
    return address;
  }

 private:
  const ServerOptions options_;
  const std::string host_;
};

}  // namespace

std::unique_ptr<NbdServer> make_server(Guest& guest, const Host& host,
                                       const ServerOptions& options) {
  const UriParts uri = parse_uri(guest.connection().uri());
  if (options.tls) {
    std::string name = options.host.empty() ? uri.host : options.host;
    if (name.empty()) name = "localhost";
    return std::make_unique<TlsServer>(options, name);
  }
  const bool unreachable = !host.local() && uri.transport != "ssh" &&
                           uri.transport != "libssh" &&
                           uri.transport != "libssh2";
  if (unreachable) {
    throw Error(ErrorKind::kUnsupported,
                "the disks of " + guest.name() + " at " +
                    guest.connection().uri() +
                    " can only be read over TCP: say --tls");
  }
  return std::make_unique<UnixServer>(guest, host);
}

}  // namespace backstitch::engine
