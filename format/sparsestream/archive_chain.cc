#include "format/sparsestream/archive_chain.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

namespace backstitch::format {
namespace {

using PointPointer = std::shared_ptr<ArchivePoint>;
using Points = std::vector<PointPointer>;

uint64_t number_of(const std::string& ident) {
  uint64_t number = 0;
  const char* const end = ident.data() + ident.size();
  const auto [rest, code] = std::from_chars(ident.data(), end, number);
  return code == std::errc() && rest == end ? number : 0;
}

// "virtnbdbackup.9" before "virtnbdbackup.10".
std::pair<uint64_t, std::string> natural(const std::string& checkpoint) {
  const size_t dot = checkpoint.rfind('.');
  return {dot == std::string::npos ? 0 : number_of(checkpoint.substr(dot + 1)),
          checkpoint};
}

// Nothing builds on it: it made no checkpoint of its own.
bool is_leaf(const ArchivePoint& point) {
  return point.level == Level::kDifferential || point.level == Level::kCopy ||
         (!point.checkpoint.empty() && point.checkpoint == point.parent);
}

class Grouper {
 public:
  explicit Grouper(const ArchiveFiles& files) : files_(files) {
    for (const auto& other : files.others) {
      const std::string& name = other.first;
      if (!name.starts_with("vmconfig.") || !name.ends_with(".xml")) continue;
      if (const uint64_t number = number_of(name.substr(9, name.size() - 13)))
        ends_.insert(number);
    }
  }

  Points run() {
    using Of = DataFile::Level;
    for (const DataFilePointer& file : files_.data)
      if (file->level == Of::kFull) add("full", file);
    for (const DataFilePointer& file : files_.data) {
      if (file->level == Of::kCopy) add_copy(file);
      if (file->level == Of::kIncremental) add("inc." + file->ident, file);
      if (file->level == Of::kDifferential) differentials_.push_back(file);
    }
    std::ranges::stable_sort(differentials_, {}, [](const auto& file) {
      return number_of(file->ident);
    });
    for (const DataFilePointer& file : differentials_) add_differential(file);
    return points();
  }

 private:
  using Files = std::vector<DataFilePointer>;

  void add(const std::string& key, const DataFilePointer& file) {
    groups_[key].push_back(file);
  }

  bool has(const std::string& key, const std::string& disk) const {
    const auto found = groups_.find(key);
    return found != groups_.end() &&
           std::ranges::any_of(found->second,
                               [&](const auto& f) { return f->disk == disk; });
  }

  // A full writes disks of raw format as a copy.
  void add_copy(const DataFilePointer& file) {
    const bool of_full = groups_.contains("full") && !has("full", file->disk);
    add(of_full ? "full" : "copy", file);
  }

  // Each disk of a run has its own second for an ident; the run's description
  // of the machine comes last of all and has the latest.
  void add_differential(const DataFilePointer& file) {
    const auto end = ends_.lower_bound(number_of(file->ident));
    const std::string stem = "diff." + file->meta.parent + "." +
                             (end == ends_.end() ? "" : std::to_string(*end)) +
                             ".";
    int count = 0;
    while (has(stem + std::to_string(count), file->disk)) ++count;
    add(stem + std::to_string(count), file);
  }

  Points points() const {
    Points made;
    for (const auto& [key, files] : groups_) {
      // What nothing of which was finished is no point.
      if (std::ranges::all_of(
              files, &DataFile::is_partial,
              [](const auto& f) -> const DataFile& { return *f; })) {
        continue;
      }
      made.push_back(make_point(files));
    }
    return made;
  }

  PointPointer make_point(const Files& files) const {
    auto point = std::make_shared<ArchivePoint>();
    // What is left of a run that was repeated does not count.
    std::ranges::copy_if(files, std::back_inserter(point->files),
                         [&](const DataFilePointer& file) {
                           return !file->is_partial ||
                                  !is_finished(files, *file);
                         });
    std::ranges::sort(point->files, {},
                      [](const auto& file) { return file->disk; });
    const DataFile* known = nullptr;  // that tells what the run was
    for (const DataFilePointer& file : point->files) {
      if (file->error && !point->error) point->error = file->error;
      if (file->error || file->is_raw) continue;
      if (known == nullptr) known = file.get();
      if (point->date.empty() || file->meta.date < point->date)
        point->date = file->meta.date;
    }
    describe(*point, *point->files.front(), known);
    return point;
  }

  static bool is_finished(const Files& files, const DataFile& partial) {
    return std::ranges::any_of(files, [&](const DataFilePointer& file) {
      return !file->is_partial && file->disk == partial.disk;
    });
  }

  void describe(ArchivePoint& point, const DataFile& first,
                const DataFile* known) const {
    using Of = DataFile::Level;
    Of level = first.level;
    for (const DataFilePointer& file : point.files)
      if (file->level == Of::kFull) level = Of::kFull;
    point.level = level == Of::kFull          ? Level::kFull
                  : level == Of::kCopy        ? Level::kCopy
                  : level == Of::kIncremental ? Level::kIncremental
                                              : Level::kDifferential;
    point.ident = level == Of::kCopy ? "copy" : first.ident;
    if (level == Of::kDifferential) {
      const auto end = ends_.lower_bound(number_of(first.ident));
      if (end != ends_.end()) point.ident = std::to_string(*end);
    }
    if (known == nullptr) {
      if (level == Of::kIncremental) point.checkpoint = first.ident;
      return;
    }
    point.checkpoint = known->meta.checkpoint;
    point.parent = known->meta.parent;
    if (level == Of::kFull) point.ident = point.checkpoint;
    // An incremental that found no usable bitmap is a full under its name.
    if (!known->meta.incremental &&
        (level == Of::kIncremental || level == Of::kDifferential)) {
      point.level = Level::kFull;
      point.parent.clear();
    }
  }

  const ArchiveFiles& files_;
  std::set<uint64_t> ends_;  // of runs, as seconds
  std::map<std::string, Files> groups_;
  Files differentials_;
};

bool builds_on_another(const ArchivePoint& point) {
  return point.level == Level::kIncremental ||
         point.level == Level::kDifferential;
}

PointPointer find_base(const Points& points, const PointPointer& point) {
  for (const PointPointer& other : points) {
    if (other != point && !is_leaf(*other) &&
        other->checkpoint == point->parent && !other->checkpoint.empty()) {
      return other;
    }
  }
  return nullptr;
}

// Each after what it builds on; of several, those that made no checkpoint come
// first, since the chain went on only after them.
class Order {
 public:
  explicit Order(const Points& points) : points_(points) {}

  std::vector<ArchivePointPointer> run() {
    for (const PointPointer& point : points_)
      children_[point->base].push_back(point);
    append_below(nullptr);
    // What leads to itself was not reached; it is shown, and cannot be used.
    for (const PointPointer& point : points_)
      if (point->number == 0) append(point);
    return std::move(ordered_);
  }

 private:
  void append_below(const ArchivePointPointer& base) {
    const auto found = children_.find(base);
    if (found == children_.end()) return;
    Points& children = found->second;
    std::ranges::sort(children, {}, [](const PointPointer& point) {
      const bool is_orphan = builds_on_another(*point) && !point->base;
      return std::tuple(is_orphan, !is_leaf(*point), point->date,
                        natural(point->checkpoint), point->ident);
    });
    for (const PointPointer& point : children) {
      append(point);
      append_below(point);
    }
  }

  void append(const PointPointer& point) {
    point->number = static_cast<uint32_t>(ordered_.size()) + 1;
    ordered_.push_back(point);
  }

  const Points& points_;
  std::map<ArchivePointPointer, Points> children_;
  std::vector<ArchivePointPointer> ordered_;
};

// What makes a point useless that can be known without its data.
void check_points(const Points& points) {
  for (const PointPointer& point : points) {
    if (point->error || !builds_on_another(*point) || point->base) continue;
    const std::string& name = point->files.front()->place.name;
    point->error =
        Error(ErrorKind::kDamaged,
              name + ": builds on the checkpoint \"" + point->parent +
                  "\", and the archive has no file of the run that made it");
  }
}

}  // namespace

const DataFile* ArchivePoint::file(const std::string& disk) const {
  for (const DataFilePointer& each : files)
    if (each->disk == disk) return each.get();
  return nullptr;
}

std::vector<ArchivePointPointer> find_points(const ArchiveFiles& files) {
  const Points points = Grouper(files).run();
  for (const PointPointer& point : points)
    if (builds_on_another(*point)) point->base = find_base(points, point);
  check_points(points);
  return Order(points).run();
}

std::vector<DataFilePointer> layers_of(const ArchivePointPointer& point,
                                       const std::string& disk) {
  std::vector<DataFilePointer> layers;
  std::set<const ArchivePoint*> seen;
  for (ArchivePointPointer at = point; at; at = at->base) {
    if (at->error) throw *at->error;
    if (!seen.insert(at.get()).second) {
      throw Error(ErrorKind::kDamaged,
                  at->files.front()->place.name + ": builds on itself");
    }
    if (at->file(disk) == nullptr) {
      if (layers.empty())
        throw Error(ErrorKind::kNotFound, "the point has no disk " + disk);
      throw Error(ErrorKind::kDamaged,
                  layers.back()->place.name + ": builds on the checkpoint \"" +
                      at->checkpoint + "\", and the archive has no " + disk +
                      " of that run");
    }
    for (const DataFilePointer& file : at->files)
      if (file->disk == disk) layers.push_back(file);
  }
  return layers;
}

}  // namespace backstitch::format
