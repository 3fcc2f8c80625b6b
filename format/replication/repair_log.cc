#include "format/replication/repair_log.h"

#include <fcntl.h>

#include <algorithm>

#include "format/base/error.h"
#include "format/base/file.h"

namespace backstitch::format {

namespace fs = std::filesystem;

void RepairLog::overwrite(const fs::path& path, ByteView bytes, Mended what) {
  if (!dry_run_) {
    const File file = File::open(path, O_RDWR);
    file.write_at(what.offset, bytes);
    file.sync();
    file.drop_cache();
    Bytes written(bytes.size());
    file.read_at(what.offset, written);
    if (!std::ranges::equal(written, bytes)) {
      throw Error(ErrorKind::kFailed, "cannot repair " + path.string() +
                                          ": what was written at "
                                          "offset " +
                                          std::to_string(what.offset) +
                                          " reads differently");
    }
  }
  mended_.push_back(std::move(what));
}

// In place where it is there: locks are on its inode, and other points may have
// the same.
void RepairLog::replace(const fs::path& path, std::string_view content,
                        Mended what) {
  if (!dry_run_) {
    if (fs::exists(path)) {
      const File file = File::open(path, O_RDWR);
      file.write_at(0, std::as_bytes(std::span(content)));
      file.resize(content.size());
      file.sync();
    } else {
      const fs::path fresh =
          path.parent_path() / ("." + path.filename().string() + ".new");
      remove_tree(fresh);
      try {
        write_new_file(fresh, content);
        rename_path(fresh, path);
      } catch (const Error&) {
        std::error_code ignored;  // the next run removes what is left
        fs::remove(fresh, ignored);
        throw;
      }
      sync_directory(path.parent_path());
    }
    if (read_text(path, content.size()) != content) {
      throw Error(ErrorKind::kFailed, "cannot repair " + path.string() +
                                          ": what was written reads "
                                          "differently");
    }
  }
  mended_.push_back(std::move(what));
}

void RepairLog::resize(const fs::path& path, uint64_t size, Mended what) {
  if (!dry_run_) {
    const File file = File::open(path, O_RDWR);
    file.resize(size);
    file.sync();
  }
  mended_.push_back(std::move(what));
}

void RepairLog::zero(const fs::path& path, uint64_t begin, uint64_t end,
                     Mended what) {
  if (!dry_run_) {
    const File file = File::open(path, O_RDWR);
    file.punch_hole(begin, end - begin);
    file.sync();
  }
  mended_.push_back(std::move(what));
}

}  // namespace backstitch::format
