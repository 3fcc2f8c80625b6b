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
  // Runs a program there with `input` as its stdin and gives its stdout. Throws
  // kFailed with what it wrote to stderr, kUnsupported where nothing can be
  // run.
  virtual std::string run(const Arguments& arguments,
                          const std::string& input) const = 0;
  std::string run(const Arguments& arguments) const {
    return run(arguments, "");
  }
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

// Whether something has that name there.
bool exists_at(const Host& host, const std::string& path);
// Writes a file there, whole or not at all, in place of what was there. It is
// its owner's only; directories that it needs can be passed by everyone.
void write_file_at(const Host& host, const std::string& path,
                   const std::string& content);
void remove_file_at(const Host& host, const std::string& path);

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
