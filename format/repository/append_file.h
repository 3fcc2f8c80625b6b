// A .map or .data file being written: header, then what is appended.
#pragma once

#include "format/base/file.h"
#include "format/chain/file_header.h"

namespace backstitch::format {

// One thread. What was appended is in the file only after finish().
class AppendFile {
 public:
  AppendFile(const std::filesystem::path& path, const FileHeader& header);

  // Writes `bytes` at a multiple of `alignment` and returns the offset. The gap
  // before it is zero.
  uint64_t append(ByteView bytes, uint64_t alignment);
  uint64_t length() const { return written_ + buffer_.size(); }
  // Everything on stable storage.
  void finish();

 private:
  void flush();
  void write(ByteView bytes);

  File file_;
  Bytes buffer_;
  uint64_t written_ = 0;
  uint64_t started_ = 0;  // so much is on its way to the disk
};

}  // namespace backstitch::format
