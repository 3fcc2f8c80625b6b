#include "format/sparsestream/archive.h"

#include <algorithm>
#include <array>
#include <set>

#include "format/repository/names.h"
#include "format/repository/verify.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;

ArchiveStatePointer load(const fs::path& path) {
  const FileStamp stamp = stamp_of(path);
  ArchiveFiles files = find_archive_files(path);
  ArchiveLogs logs(files);
  auto points = find_points(files);
  return std::make_shared<const ArchiveState>(
      stamp, std::move(files), std::move(logs), std::move(points));
}

[[noreturn]] void no_point(const std::string& domain, uint32_t number) {
  throw Error(ErrorKind::kNotFound,
              printable(domain) + " has no point " + std::to_string(number));
}

bool is_domain_name(const std::string& name) {
  try {
    check_domain_name(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// An entity is one of five, or a number that names no machine of ours.
std::string without_entities(std::string text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
      {{"&lt;", '<'},
       {"&gt;", '>'},
       {"&quot;", '"'},
       {"&apos;", '\''},
       {"&amp;", '&'}}};
  for (const auto& [entity, character] : kEntities) {
    for (size_t at = text.find(entity); at != std::string::npos;
         at = text.find(entity, at + 1)) {
      text.replace(at, entity.size(), 1, character);
    }
  }
  return text;
}

std::string directory_name(const fs::path& path) {
  fs::path whole = fs::absolute(path).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  return whole.extension() == ".zip" ? whole.stem().string()
                                     : whole.filename().string();
}

// Directories that are archives, the path itself or those right below it.
std::vector<fs::path> archives_at(const fs::path& path) {
  if (holds_archive(path)) return {path};
  std::vector<fs::path> found;
  std::error_code code;
  for (fs::directory_iterator at(path, code), end; !code && at != end;
       at.increment(code)) {
    if (at->is_directory(code) && holds_archive(at->path()))
      found.push_back(at->path());
    code.clear();
  }
  std::ranges::sort(found);
  return found;
}

std::string name_for(const ArchiveSource& source, const fs::path& path,
                     const std::set<std::string>& taken) {
  for (std::string name :
       {source.domain_name(), directory_name(path), std::string("archive")}) {
    if (is_domain_name(name) && !taken.contains(name)) return name;
  }
  throw Error(ErrorKind::kUsage, path.string() + ": has no name of its own");
}

Repository open_archive(const fs::path& path,
                        const std::vector<fs::path>& archives) {
  const auto streams = std::make_shared<StreamPool>();
  std::vector<std::shared_ptr<ArchiveSource>> sources;
  std::string ids;
  for (const fs::path& archive : archives) {
    sources.push_back(std::make_shared<ArchiveSource>(archive, streams));
    ids += sources.back()->id();
  }
  if (ids.empty()) {
    throw Error(ErrorKind::kDamaged,
                path.string() + ": holds no finished point, only " +
                    printable(sources.front()->unfinished()));
  }
  const std::string id = to_hex(hash_of(ids));
  std::vector<Domain> domains;
  std::set<std::string> taken;
  for (size_t i = 0; i < sources.size(); ++i) {
    const std::string name = name_for(*sources[i], archives[i], taken);
    taken.insert(name);
    sources[i]->set_names(name, id);
    domains.emplace_back(archives[i], name, sources[i]);
  }
  std::ranges::sort(domains, {}, &Domain::name);
  return Repository::of_archive(path, id, std::move(domains));
}

}  // namespace

std::string why_stale(const Manifest& manifest) {
  for (const DiskManifest& disk : manifest.disks) {
    const auto found = disk.source.find(kPossiblyStale);
    if (found != disk.source.end()) return found->second;
  }
  return "";
}

std::string element_text(const std::string& xml, const std::string& name) {
  for (size_t at = xml.find("<" + name); at != std::string::npos;
       at = xml.find("<" + name, at + 1)) {
    const size_t behind = at + 1 + name.size();
    if (behind >= xml.size() ||
        std::string_view("> \t\r\n").find(xml[behind]) == std::string::npos) {
      continue;
    }
    const size_t begin = xml.find('>', behind);
    if (begin == std::string::npos || xml[begin - 1] == '/') continue;
    const size_t end = xml.find('<', begin);
    if (end == std::string::npos) break;
    return without_entities(xml.substr(begin + 1, end - begin - 1));
  }
  return "";
}

Repository open_repository(const fs::path& path) {
  try {
    return Repository::open(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    const auto archives = archives_at(path);
    if (archives.empty()) throw;
    return open_archive(path, archives);
  }
}

ArchiveSource::ArchiveSource(fs::path path, std::shared_ptr<StreamPool> streams)
    : path_(std::move(path)), streams_(std::move(streams)) {
  const ArchiveStatePointer state = load(path_);
  state_.with([&](ArchiveStatePointer& known) { known = state; });
}

std::string ArchiveSource::domain_name() const {
  const ArchiveStatePointer now = state();
  for (const auto& [name, place] : now->files.others) {
    if (!name.starts_with("vmconfig.") || !name.ends_with(".xml")) continue;
    const std::string found = element_text(*now->files.text(name), "name");
    if (is_domain_name(found)) return found;
  }
  for (const auto& [name, place] : now->files.others)
    if (name.ends_with(".cpt")) return name.substr(0, name.size() - 4);
  return "";
}

std::string ArchiveSource::id() const {
  const ArchiveStatePointer now = state();
  std::string text;
  if (now->points.empty()) return text;
  for (const DataFilePointer& file : now->points.front()->files) {
    text += file->place.name + "\n" + std::to_string(file->place.length) +
            "\n" + file->meta.date + "\n";
  }
  return to_hex(hash_of(text));
}

std::string ArchiveSource::unfinished() const {
  const ArchiveStatePointer now = state();
  return now->points.empty() && !now->files.data.empty()
             ? now->files.data.front()->place.name
             : "";
}

void ArchiveSource::set_names(std::string domain, std::string repository) {
  domain_ = std::move(domain);
  repository_ = std::move(repository);
}

ArchiveStatePointer ArchiveSource::state() const {
  const FileStamp now = stamp_of(path_);
  return state_.with([&](ArchiveStatePointer& known) {
    if (!(known->stamp == now)) known = load(path_);
    return known;
  });
}

std::vector<uint32_t> ArchiveSource::points() const {
  std::vector<uint32_t> numbers;
  for (const auto& point : state()->points) numbers.push_back(point->number);
  return numbers;
}

std::shared_ptr<const PointContent> ArchiveSource::open(uint32_t number) const {
  const ArchiveStatePointer now = state();
  if (number == 0 || number > now->points.size()) no_point(domain_, number);
  return make_content(now, now->points[number - 1], domain_, repository_,
                      streams_);
}

fs::path ArchiveSource::record(uint32_t number) const {
  const ArchiveStatePointer now = state();
  if (number == 0 || number > now->points.size()) return path_ / "none";
  return now->points[number - 1]->files.front()->place.path;
}

VerifyResult ArchiveSource::verify(uint32_t number,
                                   const VerifyOptions& options) const {
  const ArchiveStatePointer now = state();
  if (number == 0) return verify_archive(*now, now->points, true, options);
  if (number > now->points.size()) no_point(domain_, number);
  return verify_archive(*now, {now->points[number - 1]}, false, options);
}

}  // namespace backstitch::format
