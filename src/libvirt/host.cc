#include "src/libvirt/host.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

#include "format/base/error.h"
#include "format/base/file.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kSshPackage[] = "openssh-client";
constexpr std::chrono::seconds kTunnelPatience{20};

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
  std::string run(const Arguments& arguments) const override {
    return engine::run(arguments, arguments.at(0));
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

// Within quotes a shell knows but one special character: the quote.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) c == '\'' ? text += "'\\''" : text += c;
  return text + "'";
}

// A value of "key=value&key=value".
std::string query_value(const std::string& query, const std::string& key) {
  const std::string text = "&" + query + "&";
  const size_t at = text.find("&" + key + "=");
  if (at == std::string::npos) return {};
  const size_t from = at + key.size() + 2;
  return text.substr(from, text.find('&', from) - from);
}

// ssh -L from a socket in a private directory here to the server's there.
class SshTunnel : public Host::Tunnel {
 public:
  SshTunnel(const Arguments& ssh, const std::string& destination,
            const std::string& socket) {
    std::string name =
        (fs::temp_directory_path() / "backstitch-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw system_error(errno, "make a directory for a socket, " + name);
    directory_ = name;
    try {
      Arguments arguments = ssh;
      arguments.insert(arguments.end(),
                       {"-N", "-o", "ExitOnForwardFailure=yes", "-L",
                        this->socket() + ":" + socket, "--", destination});
      process_.emplace(
          Process::start(arguments, kSshPackage, {.die_with_us = true}));
      wait(destination);
    } catch (...) {
      remove();
      throw;
    }
  }
  SshTunnel(const SshTunnel&) = delete;
  SshTunnel& operator=(const SshTunnel&) = delete;
  ~SshTunnel() override { remove(); }

  std::string socket() const override { return (directory_ / "nbd").string(); }

 private:
  void wait(const std::string& destination) {
    const auto deadline = std::chrono::steady_clock::now() + kTunnelPatience;
    while (!fs::exists(socket())) {
      if (process_->wait(std::chrono::milliseconds(20)) ||
          std::chrono::steady_clock::now() > deadline) {
        throw Error(ErrorKind::kFailed, "cannot forward a socket from " +
                                            destination + ": " +
                                            process_->standard_error());
      }
    }
  }
  void remove() {
    std::error_code ignored;
    process_.reset();
    fs::remove_all(directory_, ignored);
  }

  fs::path directory_;
  std::optional<Process> process_;
};

class SshHost : public Host {
 public:
  explicit SshHost(const UriParts& uri)
      : destination_((uri.user.empty() ? "" : uri.user + "@") + uri.host) {
    ssh_ = {query_value(uri.query, "command")};
    if (ssh_[0].empty()) ssh_[0] = "ssh";
    // Nobody is asked for a password in the middle of a backup.
    ssh_.insert(ssh_.end(), {"-o", "BatchMode=yes"});
    if (!uri.port.empty()) ssh_.insert(ssh_.end(), {"-p", uri.port});
    const std::string key = query_value(uri.query, "keyfile");
    if (!key.empty()) ssh_.insert(ssh_.end(), {"-i", key});
    if (query_value(uri.query, "no_verify") == "1")
      ssh_.insert(ssh_.end(), {"-o", "StrictHostKeyChecking=no"});
  }

  std::string run(const Arguments& arguments) const override {
    std::string command;
    for (const std::string& argument : arguments)
      command += (command.empty() ? "" : " ") + quoted(argument);
    Arguments ssh = ssh_;
    ssh.insert(ssh.end(), {"--", destination_, command});
    return engine::run(ssh, kSshPackage);
  }
  std::string read_file(const std::string& path,
                        uint64_t limit) const override {
    std::string text =
        run({"head", "-c", std::to_string(limit + 1), "--", path});
    if (text.size() > limit) {
      throw Error(ErrorKind::kFailed,
                  path + " is larger than " + std::to_string(limit) + " bytes");
    }
    return text;
  }
  uint64_t free_bytes(const std::string& directory) const override {
    const std::string text =
        run({"stat", "--file-system", "--format=%a %S", "--", directory});
    size_t used = 0;
    const uint64_t blocks = std::stoull(text, &used);
    return blocks * std::stoull(text.substr(used));
  }
  std::unique_ptr<Tunnel> reach(const std::string& socket) const override {
    return std::make_unique<SshTunnel>(ssh_, destination_, socket);
  }

 private:
  const std::string destination_;
  Arguments ssh_;
};

class FarHost : public Host {
 public:
  explicit FarHost(std::string uri) : uri_(std::move(uri)) {}
  std::string run(const Arguments&) const override { throw out_of_reach(); }
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

}  // namespace

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
  if (over_ssh) return std::make_unique<SshHost>(parts);
  if (parts.host.empty() || parts.transport == "unix")
    return std::make_unique<LocalHost>();
  return std::make_unique<FarHost>(uri);
}

}  // namespace backstitch::engine
