// An image of an archive as a source for the copy pipeline.
#pragma once

#include <memory>
#include <vector>

#include "format/sparsestream/sparsestream_image.h"
#include "src/nbd/block_source.h"

namespace backstitch::engine {

class ImageSource : public BlockSource {
 public:
  using Image = std::shared_ptr<const format::SparsestreamImage>;

  // With a `base`, only what the two do not have in common is read, as the
  // files that they are made of say; else everything.
  ImageSource(Image image, const Image& base);

  uint64_t size_bytes() const override { return image_->size(); }
  std::optional<ChunkRun> next_run(std::stop_token stop) override;
  unsigned max_readers() const override;
  std::unique_ptr<BlockReader> open_reader() override;

 private:
  struct Range {
    uint64_t first = 0;
    uint64_t end = 0;
  };
  void add(uint64_t begin, uint64_t end);
  void add_streams(const format::SparsestreamImage& of,
                   const format::SparsestreamImage& but_not);
  void merge();

  const Image image_;
  const uint64_t chunks_;
  std::vector<Range> changed_;  // in chunks; ascending once merged
  size_t next_changed_ = 0;
  uint64_t next_ = 0;
};

}  // namespace backstitch::engine
