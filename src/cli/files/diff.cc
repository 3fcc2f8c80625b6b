// backstitch files diff: which files are not the same at two points.
#include <fmt/format.h>
#include <sys/stat.h>

#include <future>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/entry.h"
#include "src/cli/files/point.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using engine::GuestFile;
using Files = std::vector<GuestFile>;

struct Difference {
  std::string path;
  const GuestFile* before = nullptr;  // neither: added
  const GuestFile* after = nullptr;   // neither: removed
  std::vector<std::string> what;      // of both: "content", "mode", …
};

// Nothing that a write leaves as it was. Access times are no difference.
bool untouched(const GuestFile& a, const GuestFile& b) {
  return a.inode == b.inode && a.mode == b.mode && a.uid == b.uid &&
         a.gid == b.gid && a.size_bytes == b.size_bytes &&
         a.modified == b.modified && a.changed == b.changed;
}

std::vector<std::string> compare(const GuestFile& a, const GuestFile& b) {
  if ((a.mode & S_IFMT) != (b.mode & S_IFMT)) return {"type"};
  std::vector<std::string> what;
  const bool content = S_ISLNK(a.mode)
                           ? a.target != b.target
                           : S_ISREG(a.mode) && (a.size_bytes != b.size_bytes ||
                                                 a.modified != b.modified);
  if (content) what.emplace_back(S_ISLNK(a.mode) ? "target" : "content");
  if (a.mode != b.mode) what.emplace_back("mode");
  if (a.uid != b.uid || a.gid != b.gid) what.emplace_back("owner");
  if (a.modified != b.modified) what.emplace_back("time");
  return what;
}

// Both are sorted by path.
std::vector<Difference> merge(const Files& before, const Files& after) {
  std::vector<Difference> found;
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && a->path < b->path)) {
      found.push_back({a->path, &*a, nullptr, {}});
      ++a;
    } else if (a == before.end() || b->path < a->path) {
      found.push_back({b->path, nullptr, &*b, {}});
      ++b;
    } else {
      if (!untouched(*a, *b))
        found.push_back({a->path, &*a, &*b, compare(*a, *b)});
      ++a;
      ++b;
    }
  }
  return found;
}

// Whether the bytes of files differ that someone has touched, instead of what
// their times and sizes let one suppose.
void compare_content(std::vector<Difference>& found, const std::string& path,
                     engine::GuestView& before, engine::GuestView& after) {
  for (auto& one : found) {
    if (one.before == nullptr || one.after == nullptr ||
        !S_ISREG(one.before->mode) || !S_ISREG(one.after->mode))
      continue;
    const std::string file = join_path(path, one.path);
    std::erase(one.what, "content");
    if (one.before->size_bytes != one.after->size_bytes ||
        before.checksum(file) != after.checksum(file))
      one.what.insert(one.what.begin(), "content");
  }
}

std::string change_of(const Difference& one) {
  if (one.before == nullptr) return "added";
  return one.after == nullptr ? "removed" : "modified";
}

void report_json(const std::vector<FilesTarget>& points,
                 const std::string& path,
                 const std::vector<Difference>& found) {
  auto entries = nlohmann::json::array();
  for (const auto& one : found) {
    nlohmann::json entry = {{"path", join_path(path, one.path)},
                            {"change", change_of(one)}};
    if (one.before != nullptr && one.after != nullptr) entry["what"] = one.what;
    if (one.before != nullptr)
      entry["before"] = file_json(*one.before, join_path(path, one.path));
    if (one.after != nullptr)
      entry["after"] = file_json(*one.after, join_path(path, one.path));
    entries.push_back(std::move(entry));
  }
  print_json({{"points", {points[0].label(), points[1].label()}},
              {"path", path},
              {"differences", entries}});
}

void report_text(const std::string& path,
                 const std::vector<Difference>& found) {
  std::string out;
  for (const auto& one : found) {
    std::string words;
    for (const auto& word : one.what)
      words += (words.empty() ? "" : ", ") + word;
    const std::string change = change_of(one);
    out += fmt::format("{} {}{}\n",
                       change == "added"     ? '+'
                       : change == "removed" ? '-'
                                             : 'M',
                       format::printable(join_path(path, one.path)),
                       words.empty() ? "" : " (" + words + ")");
  }
  print(out);
}

// Two appliances at once: a disk's file systems have the same identity at both
// points, and one kernel would not take them side by side.
class Pair {
 public:
  Pair(const format::Repository& repository,
       const std::vector<FilesTarget>& targets)
      : before_(repository, targets[0]), after_(repository, targets[1]) {}

  // Runs a body for both, at once; the first failure in their order counts.
  template <typename Body>
  void both(Body&& body) {
    auto other =
        std::async(std::launch::async, [&] { body(before_, size_t{0}); });
    std::exception_ptr failure;
    try {
      body(after_, size_t{1});
    } catch (...) {
      failure = std::current_exception();
    }
    other.get();
    if (failure) std::rethrow_exception(failure);
  }
  FilesPoint& before() { return before_; }
  FilesPoint& after() { return after_; }

 private:
  FilesPoint before_;
  FilesPoint after_;
};

int run(const Globals& globals, const Values& values) {
  const auto names = texts(values, "point");
  if (names.size() != 2) {
    throw Error(ErrorKind::kUsage, "files diff takes two points");
  }
  const auto repository = globals.open_repository();
  const std::vector<FilesTarget> targets = {
      parse_files_target(repository, names[0]),
      parse_files_target(repository, names[1])};
  std::string path = text(values, "path");
  if (path.empty()) path = targets[0].path;
  const auto mounts = chosen_mounts(values);
  Files files[2];
  std::vector<Difference> found;
  {
    Pair pair(repository, targets);
    const Status status(globals, "reading both points …");
    pair.both([&](FilesPoint& point, size_t side) {
      point.start(mounts);
      files[side] =
          point.guarded([&] { return point.guest().walk(path, true); });
    });
    found = merge(files[0], files[1]);
    if (flag(values, "content")) {
      pair.before().guarded([&] {
        pair.after().guarded([&] {
          compare_content(found, path, pair.before().guest(),
                          pair.after().guest());
        });
      });
    }
  }
  if (globals.json) {
    report_json(targets, path, found);
  } else {
    report_text(path, found);
  }
  return kExitOk;
}

}  // namespace

Command files_diff_command() {
  namespace po = boost::program_options;
  Options options;
  options.add_options()("content", po::bool_switch(),
                        "compare the bytes of files that were touched");
  add_mount_option(options);
  return {"files diff",
          "POINT POINT [PATH]",
          "Show which files differ between two points.",
          options,
          {{"point", 2}, {"path", 1}},
          run};
}

}  // namespace backstitch::cli
