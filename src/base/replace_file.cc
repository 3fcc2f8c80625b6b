#include "src/base/replace_file.h"

#include <unistd.h>

#include "format/base/error.h"
#include "format/base/file.h"

namespace backstitch::engine {

namespace fs = std::filesystem;

void replace_file(const fs::path& path, std::string_view content,
                  unsigned mode) {
  std::error_code code;
  // A link that leads in circles is told of by the writing.
  fs::path target = path;
  if (fs::is_symlink(path, code)) target = fs::weakly_canonical(path, code);
  if (target.empty()) target = path;
  if (fs::exists(target, code) && !fs::is_regular_file(target, code)) {
    throw Error(ErrorKind::kUsage,
                "cannot write " + path.string() + ": it is no regular file");
  }
  // Whoever reads all files of a name (*.prom) must not take it for one.
  const fs::path fresh =
      target.string() + "." + std::to_string(::getpid()) + ".new";
  remove_tree(fresh);
  try {
    write_new_file(fresh, content, mode);
    rename_path(fresh, target, true);
  } catch (const Error&) {
    fs::remove(fresh, code);
    throw;
  }
}

}  // namespace backstitch::engine
