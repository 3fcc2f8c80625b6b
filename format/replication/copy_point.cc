#include "format/replication/copy_point.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "format/base/error.h"
#include "format/chain/codec.h"
#include "format/replication/copy_files.h"
#include "format/replication/new_refs.h"
#include "format/repository/names.h"
#include "format/repository/shared_file.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

class PointCopy {
 public:
  PointCopy(const Domain& source, const Point& point, const Domain& target,
            const CopyHooks& hooks)
      : source_(source),
        point_(point),
        target_(target),
        hooks_(hooks),
        caches_(std::make_shared<Caches>()),
        there_(read_there(target)) {}

  CopyCounts run() {
    begin_part("");
    place(point_.number());
    for (const DiskManifest& disk : point_.manifest().disks) copy_disk(disk);
    files_.finish();
    end_part();
    begin_part(" (checking)");
    for (const DiskManifest& disk : point_.manifest().disks) check_disk(disk);
    end_part();
    copy_side_files();
    commit();
    return counts_;
  }

 private:
  static std::set<uint32_t> read_there(const Domain& target) {
    const auto numbers = target.points();
    return {numbers.begin(), numbers.end()};
  }

  void begin_part(const char* suffix) const {
    if (hooks_.begin)
      hooks_.begin(
          source_.name() + "@" + std::to_string(point_.number()) + suffix,
          point_.manifest().stored_bytes());
  }
  void end_part() const {
    if (hooks_.end) hooks_.end();
  }

  CopyPlace& place(uint32_t number);
  void use_remains(CopyPlace& place);
  void walk_disk(const DiskManifest& disk,
                 const std::function<void(const Ref&)>& visit);
  const DiskManifest* base_of(const std::string& disk);

  void copy_disk(const DiskManifest& disk);
  void copy_ref(const DiskStore& store, const std::string& disk,
                const Ref& ref);
  void check_disk(const DiskManifest& disk);
  void copy_side_files();

  void commit();
  void complete(const CopyPlace& place);
  void rename_in(const CopyPlace& place);
  void commit_point(const CopyPlace& own);

  const Domain& source_;
  const Point& point_;
  const Domain& target_;
  const CopyHooks& hooks_;
  const std::shared_ptr<Caches> caches_;
  const std::set<uint32_t> there_;        // points of the target
  std::optional<Point> base_;             // the newest of them that may help
  std::map<uint32_t, CopyPlace> places_;  // by number
  CopyFiles files_;
  Bytes bytes_;
  CopyCounts counts_;
};

// --- where bytes go ---

CopyPlace& PointCopy::place(uint32_t number) {
  const auto found = places_.find(number);
  if (found != places_.end()) return found->second;
  auto stored = read_stored(source_, number);
  if (!stored) {
    throw Error(ErrorKind::kDamaged, printable(source_.name()) + "/" +
                                         point_name(number) +
                                         ": is needed and has no manifest");
  }
  CopyPlace place;
  place.stored = std::move(*stored);
  const fs::path there = target_.path() / point_name(number);
  place.in_place = fs::exists(there);
  place.directory = place.in_place
                        ? there
                        : target_.path() / (kCopyPrefix + point_name(number));
  if (place.in_place) {
    use_remains(place);
  } else if (::mkdir(place.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw system_error(errno, "create directory " + place.directory.string());
  }
  CopyPlace& kept = places_.emplace(number, std::move(place)).first->second;
  files_.create(kept);
  return kept;
}

// As long as it is called deleted.json, nobody expects zeroes where nothing
// is reached, and the next writer makes them if this one is killed.
void PointCopy::use_remains(CopyPlace& place) {
  const auto theirs = read_stored(target_, place.stored.manifest.point);
  if (!theirs || theirs->live() || theirs->text != place.stored.text) {
    throw Error(ErrorKind::kUsage,
                place.directory.string() + ": is not what the source's is");
  }
  if (theirs->state == PointState::kDeleted) return;
  rename_path(place.directory / manifest_file(PointState::kRemains),
              place.directory / manifest_file(PointState::kDeleted));
  sync_directory(place.directory);
}

// --- what goes there ---

// The newest point of the chain that both have: all that it reaches is there.
const DiskManifest* PointCopy::base_of(const std::string& disk) {
  const uint32_t chain = point_.manifest().chain;
  for (auto number = there_.lower_bound(point_.number());
       !base_ && number != there_.begin();) {
    --number;
    if (*number < chain) break;
    Point candidate = target_.open_point(*number);
    if (candidate.manifest().chain == chain) base_ = std::move(candidate);
  }
  return base_ ? base_->manifest().disk(disk) : nullptr;
}

void PointCopy::walk_disk(const DiskManifest& disk,
                          const std::function<void(const Ref&)>& visit) {
  const auto store = source_.store(disk.name, caches_);
  const auto base_store = target_.store(disk.name, caches_);
  const DiskManifest* base = base_of(disk.name);
  const MapRoot base_map = base == nullptr ? MapRoot{} : base->map();
  walk_new(
      {*store, disk.map()}, {*base_store, base_map},
      [&](const Ref& ref) { return there_.contains(ref.point); },
      [&](const Ref& ref, Position) { visit(ref); });
}

void PointCopy::copy_disk(const DiskManifest& disk) {
  const auto store = source_.store(disk.name, caches_);
  walk_disk(disk, [&](const Ref& ref) { copy_ref(*store, disk.name, ref); });
}

bool holds(const File& file, const Ref& ref, Bytes& bytes) {
  try {
    bytes.resize(ref.length);
    file.read_at(ref.offset, bytes);
    check_stored(ref, bytes);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kDamaged) throw;
    return false;
  }
}

void PointCopy::copy_ref(const DiskStore& store, const std::string& disk,
                         const Ref& ref) {
  const CopyFiles::Open& out = files_.at(place(ref.point), disk, ref);
  if (!out.is_new && holds(out.file, ref, bytes_)) {
    counts_.continued_bytes += ref.length;
  } else {
    if (hooks_.before_read) hooks_.before_read(ref.length);
    bytes_.resize(ref.length);
    store.read_stored(ref, bytes_);
    out.file.write_at(ref.offset, bytes_);
    counts_.written_bytes += ref.length;
  }
  if (hooks_.advance) hooks_.advance(ref.length);
}

// --- whether it arrived ---

// What the refs of a point leave of its own files is padding.
class Padding {
 public:
  void check(const File& file, uint64_t begin, uint64_t end) {
    uint64_t& cursor =
        cursors_.try_emplace(file.path(), kHeaderBytes).first->second;
    bytes_.resize(std::min(begin - std::min(begin, cursor), kPageBytes));
    file.read_at(cursor, bytes_);
    if (begin < cursor || begin - cursor >= kPageBytes || !all_zero(bytes_)) {
      throw Error(ErrorKind::kDamaged,
                  file.path().string() + ": bytes at offset " +
                      std::to_string(cursor) + " belong to nothing");
    }
    cursor = end;
  }

 private:
  std::map<fs::path, uint64_t> cursors_;
  Bytes bytes_;
};

void PointCopy::check_disk(const DiskManifest& disk) {
  Padding padding;
  walk_disk(disk, [&](const Ref& ref) {
    const File& file = files_.at(place(ref.point), disk.name, ref).file;
    if (!holds(file, ref, bytes_)) {
      throw Error(ErrorKind::kDamaged,
                  file.path().string() + ": what was copied to offset " +
                      std::to_string(ref.offset) +
                      " is not what was read from the source");
    }
    if (ref.point == point_.number())
      padding.check(file, ref.offset, ref.end());
    if (hooks_.advance) hooks_.advance(ref.length);
  });
}

void PointCopy::copy_side_files() {
  const CopyPlace& own = place(point_.number());
  for (const SideFile& file : point_.manifest().files) {
    const std::string content = point_.side_file(file.name);
    const fs::path to = own.directory / file.name;
    remove_tree(to);
    const bool linked =
        base_ && link_if_same(base_->path() / file.name, to, content);
    if (!linked) write_new_file(to, content);
  }
}

// --- what makes a point of it ---

// Leaves nothing in a directory of ours but what the manifest lists, and it.
void PointCopy::complete(const CopyPlace& place) {
  if (place.in_place) return sync_directory(place.directory);
  const Manifest& manifest = place.stored.manifest;
  const bool own = manifest.point == point_.number();
  std::set<std::string> listed;
  for (const DiskManifest& disk : manifest.disks) {
    listed.insert(disk_file(disk.name, FileKind::kMap));
    listed.insert(disk_file(disk.name, FileKind::kData));
  }
  if (own)
    for (const SideFile& file : manifest.files) listed.insert(file.name);
  for (const auto& entry : fs::directory_iterator(place.directory)) {
    if (!listed.contains(entry.path().filename().string()))
      remove_tree(entry.path());
  }
  const fs::path file =
      place.directory /
      manifest_file(own ? PointState::kLive : PointState::kDeleted);
  write_new_file(file, place.stored.text);
  if (read_text(file) != place.stored.text)
    throw Error(ErrorKind::kDamaged,
                file.string() + ": is not what was copied");
  sync_directory(place.directory);
}

void PointCopy::rename_in(const CopyPlace& place) {
  if (place.in_place) return;
  rename_path(place.directory,
              target_.path() / point_name(place.stored.manifest.point));
}

void PointCopy::commit_point(const CopyPlace& own) {
  const fs::path there = target_.path() / point_name(point_.number());
  fs::path from = own.directory;
  fs::path to = there;
  if (own.in_place) {
    from = there / manifest_file(PointState::kDeleted);
    to = there / manifest_file(PointState::kLive);
  }
  rename_path(from, to);
  try {
    sync_directory(to.parent_path());
  } catch (const Error&) {
    // Visible but perhaps not durable is no point: it goes back.
    rename_path(to, from);
    throw;
  }
}

// What deleted points left comes first and is called deleted.json until the
// point that needs it is there: the next writer frees it if that never comes.
void PointCopy::commit() {
  files_.finish();
  const CopyPlace& own = place(point_.number());
  for (const auto& [number, place] : places_) complete(place);
  for (const auto& [number, place] : places_)
    if (number != point_.number()) rename_in(place);
  sync_directory(target_.path());
  commit_point(own);
  for (const auto& [number, place] : places_) {
    if (number == point_.number()) continue;
    const fs::path there = target_.path() / point_name(number);
    rename_path(there / manifest_file(PointState::kDeleted),
                there / manifest_file(PointState::kRemains));
    sync_directory(there);
  }
}

}  // namespace

CopyCounts copy_point(const Domain& source, const Point& point,
                      const Domain& target, const WriterLock& /*lock*/,
                      const CopyHooks& hooks) {
  return PointCopy(source, point, target, hooks).run();
}

void sweep_copies(const Domain& source, const Domain& target,
                  const WriterLock& /*lock*/) {
  const auto theirs = stored_numbers(source);
  const auto there = target.points();
  std::vector<fs::path> useless;
  for (const auto& entry : fs::directory_iterator(target.path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kCopyPrefix)) continue;
    const uint32_t number =
        point_number(name.substr(std::string(kCopyPrefix).size()));
    if (!std::ranges::binary_search(theirs, number) ||
        std::ranges::binary_search(there, number)) {
      useless.push_back(entry.path());
    }
  }
  for (const fs::path& path : useless) remove_tree(path);
}

}  // namespace backstitch::format
