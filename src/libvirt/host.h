// The machine that a hypervisor runs on: this one, or one that ssh leads to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/base/process.h"

namespace backstitch::engine {

// Thread-safe.
class Host {
 public:
  virtual ~Host() = default;

  virtual bool local() const { return false; }
  // Runs a program there and gives its stdout. Throws kFailed with what it
  // wrote to stderr, kUnsupported where nothing can be run.
  virtual std::string run(const Arguments& arguments) const = 0;
  // A file of at most `limit` bytes.
  virtual std::string read_file(const std::string& path,
                                uint64_t limit) const = 0;
  // Bytes that are free for a new file there.
  virtual uint64_t free_bytes(const std::string& directory) const = 0;
  // The server's Unix socket as a path on this machine, for as long as the
  // result lives.
  class Tunnel {
   public:
    virtual ~Tunnel() = default;
    virtual std::string socket() const = 0;
  };
  virtual std::unique_ptr<Tunnel> reach(const std::string& socket) const = 0;
};

// From the URI: local, over ssh, or a host where nothing but libvirt can be
// reached (TLS, TCP).
std::unique_ptr<Host> host_of(const std::string& uri);

// The parts of "driver+transport://[user@]host[:port]/path?query".
struct UriParts {
  std::string driver;
  std::string transport;
  std::string user;
  std::string host;
  std::string port;
  std::string query;
};
UriParts parse_uri(const std::string& uri);

}  // namespace backstitch::engine
