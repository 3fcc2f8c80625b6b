// What a guest says on a console, as libvirt logs it to a file.
#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "format/base/file.h"

namespace backstitch::engine {

// Text as people read it: without escape sequences, control characters and
// carriage returns; bytes that are no UTF-8 are replaced.
std::string plain_text(std::string_view raw);

// Follows the file, through the renaming that keeps it small (virtlogd begins
// another one at 2 MiB), and remembers the last lines. Belongs to one thread.
class ConsoleLog {
 public:
  ConsoleLog(std::string name, std::filesystem::path path)
      : name_(std::move(name)), path_(std::move(path)) {}

  const std::string& name() const { return name_; }
  // Reads what is new. `look` is called with each new line and with the one
  // that is not complete yet (a prompt), until it says true; so does this then.
  bool read(const std::function<bool(const std::string&)>& look);
  // The last lines, each with its end.
  std::string tail() const;

 private:
  bool read_open_file(const std::function<bool(const std::string&)>& look);
  bool take(std::string_view bytes,
            const std::function<bool(const std::string&)>& look);
  void end_line();

  const std::string name_;
  const std::filesystem::path path_;
  Fd fd_;
  ino_t inode_ = 0;
  std::string line_;  // raw, not complete
  std::deque<std::string> lines_;
};

}  // namespace backstitch::engine
