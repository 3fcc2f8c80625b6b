// A disk behind an NBD server: qemu-nbd, or libvirt's pull-mode backup.
#pragma once

#include <optional>

#include "src/nbd/block_source.h"
#include "src/nbd/connection.h"
#include "src/nbd/extents.h"

namespace backstitch::engine {

struct NbdSourceOptions {
  // Name of the dirty bitmap to be offered; empty: all of the disk is read.
  std::string bitmap;
};

// Where the server can take several connections, the bitmap and the allocation
// have one each: then only what the bitmap calls dirty is ever asked about.
// Elsewhere one connection carries everything.
class NbdSource : public BlockSource {
 public:
  // Connects. Throws kFailed or kUnsupported; see NbdConnection.
  NbdSource(const NbdAddress& address, const NbdSourceOptions& options);

  uint64_t size_bytes() const override { return size_; }
  std::optional<ChunkRun> next_run(std::stop_token stop) override;
  // More connections do not help: QEMU serves all of them in one thread.
  unsigned max_readers() const override { return 1; }
  std::unique_ptr<BlockReader> open_reader() override;

 private:
  void query(const NbdConnection& connection, uint64_t offset, uint64_t length);

  const NbdAddress address_;
  const std::string bitmap_context_;
  bool multi_ = false;
  uint64_t size_ = 0;
  std::stop_token stop_;  // of the next_run at work
  std::optional<ExtentCursor> allocation_;
  std::optional<ExtentCursor> bitmap_;
  std::optional<ChunkRuns> runs_;
  // Below the cursors, which their callbacks fill: closed before those go.
  std::shared_ptr<NbdConnection> allocation_connection_;
  std::shared_ptr<NbdConnection> bitmap_connection_;  // may be the same one
};

}  // namespace backstitch::engine
