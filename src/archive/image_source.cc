#include "src/archive/image_source.h"

#include <algorithm>
#include <thread>

#include "format/map/ref.h"

namespace backstitch::engine {
namespace {

using format::kChunkBytes;
using format::SparsestreamImage;

// Reads at once: the files are here, and several readers work side by side.
class ImageReader : public BlockReader {
 public:
  explicit ImageReader(std::shared_ptr<const SparsestreamImage> image)
      : image_(std::move(image)) {}

  void start(uint64_t offset, std::span<std::byte> out, void* tag) override {
    image_->read_at(offset, out);
    done_.push_back(tag);
  }
  void wait(std::vector<void*>& done) override {
    done.insert(done.end(), done_.begin(), done_.end());
    done_.clear();
  }

 private:
  const std::shared_ptr<const SparsestreamImage> image_;
  std::vector<void*> done_;
};

}  // namespace

ImageSource::ImageSource(Image image, const Image& base)
    : image_(std::move(image)),
      chunks_((image_->size() + kChunkBytes - 1) / kChunkBytes) {
  if (base) {
    add_streams(*image_, *base);
    add_streams(*base, *image_);
    if (base->size() != image_->size())
      add(std::min(base->size(), image_->size()), image_->size());
  } else {
    add(0, image_->size());
  }
  merge();
}

void ImageSource::add(uint64_t begin, uint64_t end) {
  const Range range{begin / kChunkBytes,
                    std::min((end + kChunkBytes - 1) / kChunkBytes, chunks_)};
  if (range.first < range.end) changed_.push_back(range);
}

void ImageSource::add_streams(const SparsestreamImage& of,
                              const SparsestreamImage& but_not) {
  for (const auto& stream : of.layers()) {
    if (std::ranges::find(but_not.layers(), stream) != but_not.layers().end())
      continue;
    for (const format::StreamPiece& piece : stream->pieces())
      add(piece.begin, piece.begin + piece.length);
  }
}

void ImageSource::merge() {
  std::ranges::sort(changed_, {}, &Range::first);
  std::vector<Range> merged;
  for (const Range& range : changed_) {
    if (!merged.empty() && range.first <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  changed_ = std::move(merged);
}

std::optional<ChunkRun> ImageSource::next_run(std::stop_token stop) {
  if (next_ == chunks_ || stop.stop_requested()) return std::nullopt;
  while (next_changed_ < changed_.size() &&
         changed_[next_changed_].end <= next_) {
    ++next_changed_;
  }
  const Range range = next_changed_ < changed_.size() ? changed_[next_changed_]
                                                      : Range{chunks_, chunks_};
  ChunkRun run{next_, 0, ChunkState::kClean};
  uint64_t end = range.first;
  if (range.first <= next_) {
    const uint64_t data = image_->next_data(next_ * kChunkBytes) / kChunkBytes;
    const bool is_zero =
        data > next_ ||
        image_->next_data(next_ * kChunkBytes) >= image_->size();
    run.state = is_zero ? ChunkState::kZero : ChunkState::kData;
    const uint64_t hole = image_->next_hole(next_ * kChunkBytes);
    end = is_zero ? (data > next_ ? data : range.end)
                  : (hole + kChunkBytes - 1) / kChunkBytes;
    end = std::clamp(end, next_ + 1, range.end);
  }
  run.count = end - next_;
  next_ = end;
  return run;
}

unsigned ImageSource::max_readers() const {
  return std::max(1U, std::thread::hardware_concurrency());
}

std::unique_ptr<BlockReader> ImageSource::open_reader() {
  return std::make_unique<ImageReader>(image_);
}

}  // namespace backstitch::engine
