#include "src/nbd/nbd_source.h"

#include <cstring>

#include "format/base/bytes.h"
#include "format/base/synchronized.h"

namespace backstitch::engine {
namespace {

class NbdReader;

// One read under way. Owned by libnbd's command, which may outlive the reader
// on a shared connection.
struct Request {
  struct Outcome {
    std::vector<void*> done;
    std::optional<Error> failure;
  };
  std::shared_ptr<Synchronized<Outcome>> outcome;
  void* tag = nullptr;
  uint64_t offset = 0;
};

// Nothing but notes what happened: libnbd holds its lock here.
// NOLINTNEXTLINE(readability-non-const-parameter): libnbd's type of callback
int finish_read(void* user, int* error) {
  auto* request = static_cast<Request*>(user);
  const int code = *error;
  request->outcome->with([&](Request::Outcome& outcome) {
    if (code == 0) {
      outcome.done.push_back(request->tag);
    } else if (!outcome.failure) {
      outcome.failure.emplace(ErrorKind::kFailed,
                              "cannot read the disk at offset " +
                                  std::to_string(request->offset) + ": " +
                                  std::strerror(code),
                              code);
    }
  });
  return 1;  // retires the command
}

void free_request(void* user) {
  const std::unique_ptr<Request> owner(static_cast<Request*>(user));
}

int forget_read(void*, int*) { return 1; }

void free_bytes(void* user) {
  const std::unique_ptr<Bytes> owner(static_cast<Bytes*>(user));
}

// glibc's malloc gives the buffer of each request back to the kernel as long as
// nothing larger was ever freed (mallopt(3): the threshold is dynamic). One
// larger read, of which nobody waits for the answer, teaches a machine's QEMU
// not to fault the pages in again and again: 170,000 times in 2 GiB, 40 % of
// its processor time. (Our own qemu-nbd is told so when it starts.)
void teach_server_to_keep_buffers(const NbdConnection& connection) {
  constexpr uint64_t kLargeRead = 4U << 20;
  if (connection.size_bytes() < kLargeRead) return;
  auto buffer = std::make_unique<Bytes>(kLargeRead);
  const std::span<std::byte> room = *buffer;
  // A failure is of no interest: the reads that matter will meet it again.
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): free_bytes'
  nbd_aio_pread(
      connection.get(), room.data(), room.size(), 0,
      nbd_completion_callback{forget_read, buffer.release(), free_bytes}, 0);
}

// Few reads are not worth the lesson.
constexpr unsigned kReadsBeforeLesson = 8;

class NbdReader : public BlockReader {
 public:
  explicit NbdReader(std::shared_ptr<NbdConnection> connection)
      : connection_(std::move(connection)) {}

  void start(uint64_t offset, std::span<std::byte> out, void* tag) override {
    if (++reads_ == kReadsBeforeLesson)
      teach_server_to_keep_buffers(*connection_);
    auto request = std::make_unique<Request>();
    request->outcome = outcome_;
    request->tag = tag;
    request->offset = offset;
    // libnbd calls free_request even when the command is refused.
    const int64_t cookie = nbd_aio_pread(
        connection_->get(), out.data(), out.size(), offset,
        nbd_completion_callback{finish_read, request.release(), free_request},
        0);
    if (cookie == -1) {
      // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): free_request's
      throw nbd_failure("read the disk at offset " + std::to_string(offset));
    }
  }

  void wait(std::vector<void*>& done) override {
    if (collect(done)) return;
    connection_->poll("read the disk");
    collect(done);
  }

 private:
  bool collect(std::vector<void*>& done) {
    return outcome_->with([&](Request::Outcome& outcome) {
      if (outcome.failure) throw Error(*outcome.failure);
      const bool any = !outcome.done.empty();
      done.insert(done.end(), outcome.done.begin(), outcome.done.end());
      outcome.done.clear();
      return any;
    });
  }

  const std::shared_ptr<Synchronized<Request::Outcome>> outcome_ =
      std::make_shared<Synchronized<Request::Outcome>>();
  const std::shared_ptr<NbdConnection> connection_;
  uint64_t reads_ = 0;
};

}  // namespace

NbdSource::NbdSource(const NbdAddress& address, const NbdSourceOptions& options)
    : address_(address), bitmap_context_(bitmap_context(options.bitmap)) {
  const std::vector<std::string> allocation = {kAllocationContext};
  const std::vector<std::string> bitmap = {bitmap_context_};
  const bool with_bitmap = !options.bitmap.empty();
  allocation_connection_ = std::make_shared<NbdConnection>(address, allocation);
  multi_ = allocation_connection_->can_multi_conn();
  if (!with_bitmap) {
    bitmap_connection_ = allocation_connection_;
  } else if (multi_) {
    bitmap_connection_ = std::make_shared<NbdConnection>(address, bitmap);
  } else {
    allocation_connection_.reset();  // it may be the only one there can be
    bitmap_connection_ = std::make_shared<NbdConnection>(
        address, std::vector{allocation[0], bitmap[0]});
    allocation_connection_ = bitmap_connection_;
  }
  if (!multi_) bitmap_connection_->share();
  size_ = bitmap_connection_->size_bytes();
  const auto ask = [this](const std::shared_ptr<NbdConnection>& connection) {
    return [this, &connection](uint64_t offset, uint64_t length) {
      query(*connection, offset, length);
    };
  };
  allocation_.emplace(size_, ask(allocation_connection_));
  if (with_bitmap) bitmap_.emplace(size_, ask(bitmap_connection_));
  runs_.emplace(size_, *allocation_, bitmap_ ? &*bitmap_ : nullptr);
}

void NbdSource::query(const NbdConnection& connection, uint64_t offset,
                      uint64_t length) {
  connection.block_status(
      offset, length,
      [this](const std::string& context, uint64_t at,
             std::span<const uint32_t> pairs) {
        if (context == kAllocationContext) allocation_->absorb(at, pairs);
        if (bitmap_ && context == bitmap_context_) bitmap_->absorb(at, pairs);
      },
      stop_);
  if (stop_.stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
}

std::optional<ChunkRun> NbdSource::next_run(std::stop_token stop) {
  stop_ = std::move(stop);
  try {
    return runs_->next();
  } catch (const Error&) {
    if (stop_.stop_requested()) return std::nullopt;
    throw;
  }
}

std::unique_ptr<BlockReader> NbdSource::open_reader() {
  if (!multi_) return std::make_unique<NbdReader>(bitmap_connection_);
  auto connection =
      std::make_shared<NbdConnection>(address_, std::vector<std::string>{});
  return std::make_unique<NbdReader>(std::move(connection));
}

}  // namespace backstitch::engine
