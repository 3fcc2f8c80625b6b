#include "src/libvirt/ssh_host.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kSshPackage[] = "openssh-client";
constexpr std::chrono::seconds kSocketPatience{20};

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

// A directory of ours for a socket.
class SocketDirectory {
 public:
  SocketDirectory() {
    std::string name =
        (fs::temp_directory_path() / "backstitch-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw system_error(errno, "make a directory for a socket, " + name);
    path_ = name;
  }
  SocketDirectory(const SocketDirectory&) = delete;
  SocketDirectory& operator=(const SocketDirectory&) = delete;
  ~SocketDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  std::string socket() const { return (path_ / "socket").string(); }

 private:
  fs::path path_;
};

// An ssh that makes a socket in a directory of its own; ends with the object.
class SshWithSocket {
 public:
  // `options` are made of the socket's path.
  template <typename Options>
  SshWithSocket(Arguments ssh, const std::string& destination, Options options)
      : process_(start(std::move(ssh), destination, options(socket()))) {
    const auto deadline = std::chrono::steady_clock::now() + kSocketPatience;
    while (!fs::exists(socket()) && !failed_) {
      failed_ = process_.wait(std::chrono::milliseconds(20)) ||
                std::chrono::steady_clock::now() > deadline;
    }
  }

  std::string socket() const { return directory_.socket(); }
  // Whether it did not come to be.
  bool failed() const { return failed_; }
  std::string standard_error() const { return process_.standard_error(); }

 private:
  static Process start(Arguments ssh, const std::string& destination,
                       const Arguments& options) {
    ssh.insert(ssh.end(), options.begin(), options.end());
    ssh.insert(ssh.end(), {"-N", "--", destination});
    return Process::start(ssh, kSshPackage, {.die_with_us = true});
  }

  const SocketDirectory directory_;
  Process process_;
  bool failed_ = false;
};

// From a socket here to the server's there, on a connection of its own: its
// end is the end of the forwarding.
class SshTunnel : public Host::Tunnel {
 public:
  SshTunnel(const Arguments& ssh, const std::string& destination,
            const std::string& socket)
      : ssh_(ssh, destination, [&](const std::string& here) {
          return Arguments{"-S", "none",
                           "-o", "ExitOnForwardFailure=yes",
                           "-L", here + ":" + socket};
        }) {
    if (!ssh_.failed()) return;
    throw Error(ErrorKind::kFailed, "cannot forward a socket from " +
                                        destination + ": " +
                                        ssh_.standard_error());
  }

  std::string socket() const override { return ssh_.socket(); }

 private:
  SshWithSocket ssh_;
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
    // All commands go over one connection. Without it each makes its own, and
    // says what is wrong.
    shared_.emplace(ssh_, destination_, [](const std::string& socket) {
      return Arguments{"-M", "-S", socket, "-o", "ControlPersist=no"};
    });
  }

  std::string run(const Arguments& arguments,
                  const std::string& input) const override {
    std::string command;
    for (const std::string& argument : arguments)
      command += (command.empty() ? "" : " ") + quoted(argument);
    Arguments ssh = ssh_;
    ssh.insert(ssh.end(),
               {"-S", shared_->socket(), "--", destination_, command});
    return engine::run(ssh, kSshPackage, input);
  }
  std::string read_file(const std::string& path,
                        uint64_t limit) const override {
    std::string text =
        run({"head", "-c", std::to_string(limit + 1), "--", path}, "");
    if (text.size() > limit) {
      throw Error(ErrorKind::kFailed,
                  path + " is larger than " + std::to_string(limit) + " bytes");
    }
    return text;
  }
  uint64_t free_bytes(const std::string& directory) const override {
    const std::string text =
        run({"stat", "--file-system", "--format=%a %S", "--", directory}, "");
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
  std::optional<SshWithSocket> shared_;
};

}  // namespace

std::unique_ptr<Host> make_ssh_host(const UriParts& parts) {
  return std::make_unique<SshHost>(parts);
}

}  // namespace backstitch::engine
