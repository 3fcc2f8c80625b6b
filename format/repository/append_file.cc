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
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kBufferBytes) flush();
  return offset;
}

void AppendFile::flush() {
  file_.write_at(flushed_, buffer_);
  // Started now, the final sync finds little left to wait for.
  file_.start_writeback(flushed_, buffer_.size());
  flushed_ += buffer_.size();
  buffer_.clear();
}

void AppendFile::finish() {
  flush();
  file_.sync();
}

}  // namespace backstitch::format
