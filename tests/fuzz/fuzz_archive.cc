// Data files and zip files of archives, as they may come from anywhere. What is
// accepted must be inside the disk and the file, in order, and can be read.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "format/sparsestream/archive_chain.h"
#include "format/sparsestream/sparsestream_image.h"
#include "format/sparsestream/zip.h"
#include "tests/fuzz/input.h"

using namespace backstitch;          // NOLINT(google-build-using-namespace)
using namespace backstitch::format;  // NOLINT(google-build-using-namespace)

namespace {

// A file in memory that has a path.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size)
      : fd_(::memfd_create("archive", MFD_CLOEXEC)) {
    fuzz::require(::write(fd_.get(), data, size) == static_cast<ssize_t>(size));
  }
  StoredPlace place() const {
    StoredPlace place;
    place.name = "vda.full.data";
    place.path = "/proc/self/fd/" + std::to_string(fd_.get());
    place.stamp = stamp_of(place.path);
    place.length = place.stamp.size;
    return place;
  }

 private:
  const Fd fd_;
};

void check_index(const StreamIndex& index, const StoredFile& file) {
  uint64_t covered = 0;
  for (const StreamPiece& piece : index.pieces) {
    fuzz::require(piece.begin >= covered && piece.length > 0);
    covered = piece.begin + piece.length;
    fuzz::require(covered > piece.begin && covered <= index.meta.virtual_size);
    fuzz::require(piece.stored_at <= file.size() &&
                  piece.stored_length <= file.size() - piece.stored_at);
  }
}

// As much of it as a small input can mean.
void read_some(const StoredFile& file, const StreamIndex& index) {
  constexpr uint64_t kMost = 1 << 20;
  for (const StreamPiece& piece : index.pieces) {
    if (piece.stored_length == 0 || !index.meta.compressed) continue;
    if (piece.length > kMost) continue;
    fuzz::parses([&] {
      Lz4Decoder decoder(file, piece.stored_at, piece.stored_length,
                         piece.length);
      while (decoder.content() < piece.length) {
        const uint64_t before = decoder.content();
        const ByteView block = decoder.next();
        fuzz::require(decoder.content() == before + block.size());
      }
      decoder.finish(0);
    });
  }
}

void try_stream(const MemoryFile& memory) {
  fuzz::parses([&] {
    const StoredFile file(memory.place());
    const StreamIndex index = scan_stream(file);
    check_index(index, file);
    check_complete(file, index.meta);
    read_some(file, index);
  });
}

void try_zip(const MemoryFile& memory) {
  fuzz::parses([&] {
    const StoredPlace whole = memory.place();
    for (const ZipEntry& entry : read_zip(whole.path)) {
      fuzz::require(entry.place.name.find('/') == std::string::npos);
      if (!entry.is_stored) continue;
      fuzz::require(entry.place.offset <= whole.length &&
                    entry.place.length <= whole.length - entry.place.offset);
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile memory(data, size);
  try_stream(memory);
  try_zip(memory);
  fuzz::parses([&] { parse_data_name(fuzz::text_of(data, size)); });
  return 0;
}
