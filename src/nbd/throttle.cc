#include "src/nbd/throttle.h"

#include <algorithm>
#include <thread>

#include "src/base/stop.h"

namespace backstitch::engine {
namespace {

using std::chrono::steady_clock;

// How often a wait looks for a stop.
constexpr std::chrono::milliseconds kStep{50};

class ThrottledReader : public BlockReader {
 public:
  ThrottledReader(std::unique_ptr<BlockReader> reader, RateLimit& limit)
      : reader_(std::move(reader)), limit_(limit) {}

  void start(uint64_t offset, std::span<std::byte> out, void* tag) override {
    limit_.wait_for(out.size());
    reader_->start(offset, out, tag);
  }
  void wait(std::vector<void*>& done) override { reader_->wait(done); }

 private:
  const std::unique_ptr<BlockReader> reader_;
  RateLimit& limit_;
};

}  // namespace

void RateLimit::wait_for(uint64_t bytes) {
  const auto cost = std::chrono::duration_cast<steady_clock::duration>(
      std::chrono::duration<double>(static_cast<double>(bytes) /
                                    static_cast<double>(rate_)));
  steady_clock::time_point mine;
  {
    const std::scoped_lock lock(mutex_);
    mine = std::max(next_, steady_clock::now());
    next_ = mine + cost;
  }
  for (auto now = steady_clock::now(); now < mine; now = steady_clock::now()) {
    check_stop();
    std::this_thread::sleep_for(
        std::min<steady_clock::duration>(kStep, mine - now));
  }
}

std::unique_ptr<BlockReader> ThrottledSource::open_reader() {
  return std::make_unique<ThrottledReader>(source_.open_reader(), limit_);
}

}  // namespace backstitch::engine
