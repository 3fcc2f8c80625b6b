// One libnbd connection: connect or fail, errors with libnbd's own words.
#pragma once

#include <libnbd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "format/base/error.h"

namespace backstitch::engine {

// An export of a server on a Unix socket, or over TCP, always with TLS.
struct NbdAddress {
  std::string socket;
  std::string export_name = {};  // empty: the default export
  std::string host = {};         // over TCP; empty: the socket
  std::string port = {};
  std::string tls_certificates = {};  // a directory; empty: libnbd's default
};

// How long a wait on a connection lasts at most before it looks at other
// things: a stop, or what another thread that shares the connection has
// received.
inline constexpr int kPollMs = 100;
inline constexpr int kSharedPollMs = 2;

// The names of metadata contexts.
inline constexpr char kAllocationContext[] = "base:allocation";
std::string bitmap_context(const std::string& bitmap);

// Thread-safe, as libnbd handles are: calls of several threads take turns.
class NbdConnection {
 public:
  // Connects and asks for `contexts`. Throws kFailed when that fails, or when
  // the server lacks structured replies or one of the contexts.
  NbdConnection(const NbdAddress& address,
                const std::vector<std::string>& contexts);
  // From now on several threads use it.
  void share() { poll_ms_ = kSharedPollMs; }
  // Waits for events and runs callbacks. Throws when the connection is lost,
  // saying that `what` failed.
  void poll(const std::string& what) const;

  nbd_handle* get() const { return handle_.get(); }
  uint64_t size_bytes() const;
  // Whether further connections see the same.
  bool can_multi_conn() const;

  // One block-status query, waited for. `take` gets each context's reply; it
  // may not throw. Returns early when `stop` is asked for. Any failure throws.
  using Take = std::function<void(const std::string& context, uint64_t offset,
                                  std::span<const uint32_t> pairs)>;
  void block_status(uint64_t offset, uint64_t length, Take take,
                    const std::stop_token& stop) const;

 private:
  struct Close {
    void operator()(nbd_handle* handle) const { nbd_close(handle); }
  };
  std::unique_ptr<nbd_handle, Close> handle_;
  int poll_ms_ = kPollMs;
};

// The version of libnbd.
std::string nbd_library_version();

// The failure of the libnbd call that this thread made last. libnbd's text is
// per thread and dies with the next call: nothing may come in between.
Error nbd_failure(const std::string& what);

}  // namespace backstitch::engine
