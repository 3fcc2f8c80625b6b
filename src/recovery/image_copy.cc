#include "src/recovery/image_copy.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "format/base/synchronized.h"
#include "src/base/failure.h"
#include "src/base/stop.h"

namespace backstitch::engine {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

struct Part {
  uint64_t begin;
  uint64_t end;
  bool data;
};

// Cuts the image into pieces of data and holes.
class Cutter {
 public:
  explicit Cutter(const format::DiskImage& image) : image_(image) {}

  std::optional<Part> next() {
    const uint64_t size = image_.size();
    if (offset_ >= size) return std::nullopt;
    const uint64_t begin = offset_;
    if (begin >= data_end_) {
      const uint64_t data = image_.next_data(begin);
      data_end_ = data < size ? image_.next_hole(data) : size;
      if (data > begin) {
        offset_ = data;
        return Part{begin, data, false};
      }
    }
    // Aligned, so that no chunk is decoded twice.
    const uint64_t aligned = begin - begin % kPieceBytes + kPieceBytes;
    offset_ = std::min(aligned, data_end_);
    return Part{begin, offset_, true};
  }

 private:
  const format::DiskImage& image_;
  uint64_t offset_ = 0;
  uint64_t data_end_ = 0;  // of the data that offset_ lies in or before
};

// So many at a time. (That of the standard library, std::counting_semaphore,
// can lose a wake-up in libstdc++ 12: GCC's bug 104928.)
class Turns {
 public:
  explicit Turns(unsigned free) : free_(free) {}

  // Runs `body` when it is its turn; not once `stop` is asked for.
  void take(const std::stop_token& stop, const std::function<void()>& body) {
    {
      std::unique_lock lock(mutex_);
      freed_.wait(lock, stop, [&] { return free_ > 0; });
      if (stop.stop_requested()) return;
      --free_;
    }
    const GiveBack after(*this);
    body();
  }

 private:
  class GiveBack {
   public:
    explicit GiveBack(Turns& turns) : turns_(turns) {}
    GiveBack(const GiveBack&) = delete;
    GiveBack& operator=(const GiveBack&) = delete;
    ~GiveBack() {
      {
        const std::scoped_lock lock(turns_.mutex_);
        ++turns_.free_;
      }
      turns_.freed_.notify_one();
    }

   private:
    Turns& turns_;
  };

  std::mutex mutex_;
  std::condition_variable_any freed_;
  unsigned free_;
};

void copy_parts(const format::DiskImage& image, Synchronized<Cutter>& cutter,
                ImageTarget& target, Turns& turns, Progress& progress,
                const std::stop_token& stop) {
  const auto writer = target.open_writer();
  Bytes buffer(kPieceBytes);
  while (!stop.stop_requested()) {
    check_stop();
    const auto part = cutter.with([](Cutter& cut) { return cut.next(); });
    if (!part) return;
    const uint64_t length = part->end - part->begin;
    if (!part->data) {
      target.skip(part->begin, length);
      continue;
    }
    const auto piece = std::span(buffer).first(length);
    image.read_at(part->begin, piece);
    turns.take(stop, [&] {
      writer->write(part->begin, piece);
      progress.advance(length);
    });
  }
}

// In so many threads at once, until all have ended.
void run_threads(unsigned threads, FirstFailure& failure,
                 const std::function<void()>& body) {
  std::vector<std::jthread> pool;
  failure.guard([&] {
    for (unsigned i = 0; i < threads; ++i)
      pool.emplace_back([&] { failure.guard(body); });
  });
}

}  // namespace

void copy_image(const format::DiskImage& image, ImageTarget& target,
                Progress& progress, unsigned threads) {
  // Twice as many as there are cores: one decodes while another's write waits.
  if (threads == 0)
    threads = std::clamp(2 * std::thread::hardware_concurrency(), 1U, 8U);
  Synchronized<Cutter> cutter{Cutter(image)};
  Turns turns(target.writes_at_once());
  FirstFailure failure;
  const std::stop_token stop = failure.token();
  run_threads(threads, failure, [&] {
    copy_parts(image, cutter, target, turns, progress, stop);
  });
  failure.rethrow();
}

}  // namespace backstitch::engine
