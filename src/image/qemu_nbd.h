// A qemu-nbd of our own on a private socket.
#pragma once

#include <filesystem>
#include <string>

#include "format/base/error.h"
#include "src/base/process.h"
#include "src/nbd/connection.h"

namespace backstitch::engine {

struct QemuNbdOptions {
  std::string format;  // of the image
  std::string bitmap;  // to be exported; empty: none
  bool writable = false;
};

// Serves an image for as long as it lives, and dies with the thread that made
// it. The socket lies in a directory that nobody else can enter (0700), and is
// listening before qemu-nbd starts: clients may connect at once.
class QemuNbd {
 public:
  // Connections that it takes at the same time.
  static constexpr unsigned kConnections = 10;

  QemuNbd(const std::filesystem::path& image, const QemuNbdOptions& options);
  QemuNbd(const QemuNbd&) = delete;
  QemuNbd& operator=(const QemuNbd&) = delete;
  ~QemuNbd();

  NbdAddress address() const { return {socket_.string(), ""}; }
  // `error` came up while talking to it: the same with what became of qemu-nbd
  // and what it wrote.
  Error explain(const Error& error);
  // Ends it once all clients are gone and what they wrote is in the file.
  // Throws when it did not end well.
  void finish();

 private:
  const std::filesystem::path image_;
  std::filesystem::path directory_;
  std::filesystem::path socket_;
  std::optional<Process> process_;
};

}  // namespace backstitch::engine
