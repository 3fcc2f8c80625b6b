#include "src/recovery/image_copy.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <semaphore>
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

using Turns = std::counting_semaphore<>;

class Turn {
 public:
  explicit Turn(Turns& turns) : turns_(turns) { turns_.acquire(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { turns_.release(); }

 private:
  Turns& turns_;
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
    {
      const Turn turn(turns);
      writer->write(part->begin, piece);
    }
    progress.advance(length);
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
