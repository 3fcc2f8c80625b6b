#include "format/repository/append_file.h"

#include <fcntl.h>

namespace backstitch::format {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

}  // namespace

AppendFile::AppendFile(const std::filesystem::path& path,
                       const FileHeader& header)
    : file_(File::open(path, O_WRONLY | O_CREAT | O_EXCL)) {
  buffer_.reserve(kBufferBytes + kChunkBytes + kPageBytes);
  const auto bytes = encode(header);
  buffer_.assign(bytes.begin(), bytes.end());
}

uint64_t AppendFile::append(ByteView bytes, uint64_t alignment) {
  if (const uint64_t rest = length() % alignment; rest != 0)
    buffer_.resize(buffer_.size() + alignment - rest);
  const uint64_t offset = length();
  if (bytes.size() >= kChunkBytes) {
    // Nothing is won by collecting what is large already.
    flush();
    write(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (buffer_.size() >= kBufferBytes) flush();
  }
  return offset;
}

void AppendFile::flush() {
  if (buffer_.empty()) return;
  write(buffer_);
  buffer_.clear();
}

void AppendFile::write(ByteView bytes) {
  file_.write_at(written_, bytes);
  written_ += bytes.size();
  if (written_ - started_ < kBufferBytes) return;
  // Started now, the final sync finds little left to wait for.
  file_.start_writeback(started_, written_ - started_);
  started_ = written_;
}

void AppendFile::finish() {
  flush();
  file_.sync();
}

}  // namespace backstitch::format
