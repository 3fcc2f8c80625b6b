#include "src/nbd/connection.h"

#include <atomic>
#include <cerrno>
#include <cstring>

namespace backstitch::engine {
namespace {

void require(int result, const std::string& what) {
  if (result == -1) throw nbd_failure(what);
}

void connect(nbd_handle* handle, const NbdAddress& address) {
  if (address.host.empty()) {
    require(nbd_connect_unix(handle, address.socket.c_str()),
            "connect to the NBD server");
    return;
  }
  // Required, so that neither side can talk the other out of it.
  require(nbd_set_tls(handle, LIBNBD_TLS_REQUIRE), "ask for TLS");
  require(nbd_set_tls_verify_peer(handle, true), "ask for a certificate");
  if (!address.tls_certificates.empty()) {
    require(nbd_set_tls_certificates(handle, address.tls_certificates.c_str()),
            "use the certificates in " + address.tls_certificates);
  }
  require(nbd_connect_tcp(handle, address.host.c_str(), address.port.c_str()),
          "connect to the NBD server at " + address.host + ":" + address.port);
}

// One query under way. Owned by libnbd's command and by who waits for it: one
// that was abandoned goes when the connection does.
struct StatusQuery {
  NbdConnection::Take take;
  std::atomic<int> error = 0;
  std::atomic<bool> done = false;
};
using StatusQueryPointer = std::shared_ptr<StatusQuery>;

int take_extents(void* user, const char* context, uint64_t offset,
                 // NOLINTNEXTLINE(readability-non-const-parameter): libnbd's
                 uint32_t* entries, size_t count, int* error) {
  auto* query = static_cast<StatusQuery*>(user);
  if (*error != 0) {
    query->error = *error;
    return 0;
  }
  try {
    query->take(context, offset, {entries, count});
  } catch (...) {  // only memory can fail here; nothing crosses C frames
    query->error = ENOMEM;
  }
  return 0;
}

// NOLINTNEXTLINE(readability-non-const-parameter): as above
int finish_query(void* user, int* error) {
  StatusQuery& query = **static_cast<StatusQueryPointer*>(user);
  if (*error != 0) query.error = *error;
  query.done = true;
  return 1;  // retires the command
}

void free_query(void* user) {
  const std::unique_ptr<StatusQueryPointer> owner(
      static_cast<StatusQueryPointer*>(user));
}

}  // namespace

std::string bitmap_context(const std::string& bitmap) {
  return "qemu:dirty-bitmap:" + bitmap;
}

std::string nbd_library_version() {
  const std::unique_ptr<nbd_handle, decltype(&nbd_close)> handle(nbd_create(),
                                                                 nbd_close);
  const char* version = handle ? nbd_get_version(handle.get()) : nullptr;
  return version != nullptr ? version : "unknown";
}

Error nbd_failure(const std::string& what) {
  const char* text = nbd_get_error();
  const int code = nbd_get_errno();
  return Error(ErrorKind::kFailed,
               "cannot " + what + ": " + (text != nullptr ? text : "unknown"),
               code);
}

NbdConnection::NbdConnection(const NbdAddress& address,
                             const std::vector<std::string>& contexts)
    : handle_(nbd_create()) {
  if (!handle_) throw nbd_failure("make an NBD connection");
  nbd_handle* const handle = handle_.get();
  if (!address.export_name.empty()) {
    require(nbd_set_export_name(handle, address.export_name.c_str()),
            "name the NBD export");
  }
  for (const std::string& context : contexts) {
    require(nbd_add_meta_context(handle, context.c_str()),
            "ask for the NBD context " + context);
  }
  // Every read that succeeds fills its buffer; a read that fails is an error.
  require(nbd_set_pread_initialize(handle, false), "prepare NBD reads");
  connect(handle, address);
  if (contexts.empty()) return;
  if (nbd_get_structured_replies_negotiated(handle) != 1) {
    throw Error(ErrorKind::kUnsupported,
                "the NBD server has no structured replies");
  }
  for (const std::string& context : contexts) {
    const int there = nbd_can_meta_context(handle, context.c_str());
    require(there, "look for the NBD context " + context);
    if (there == 0) {
      throw Error(ErrorKind::kFailed,
                  "the NBD server does not offer " + context);
    }
  }
}

uint64_t NbdConnection::size_bytes() const {
  const int64_t size = nbd_get_size(handle_.get());
  if (size < 0) throw nbd_failure("learn the size of the NBD export");
  return static_cast<uint64_t>(size);
}

bool NbdConnection::can_multi_conn() const {
  return nbd_can_multi_conn(handle_.get()) == 1;
}

void NbdConnection::poll(const std::string& what) const {
  if (nbd_poll(handle_.get(), poll_ms_) == -1) throw nbd_failure(what);
}

void NbdConnection::block_status(uint64_t offset, uint64_t length, Take take,
                                 const std::stop_token& stop) const {
  const std::string what =
      "query the extents at offset " + std::to_string(offset);
  const auto query = std::make_shared<StatusQuery>();
  query->take = std::move(take);
  auto owner = std::make_unique<StatusQueryPointer>(query);
  // libnbd calls free_query even when the command is refused.
  const int64_t cookie = nbd_aio_block_status(
      handle_.get(), length, offset,
      nbd_extent_callback{take_extents, query.get(), nullptr},
      nbd_completion_callback{finish_query, owner.release(), free_query}, 0);
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): free_query's
  if (cookie == -1) throw nbd_failure(what);
  while (!query->done) {
    poll(what);
    if (stop.stop_requested()) return;
  }
  if (const int code = query->error; code != 0) {
    throw Error(ErrorKind::kFailed,
                "cannot " + what + ": " + std::strerror(code), code);
  }
}

}  // namespace backstitch::engine
