#include "format/repository/repository.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/sealed_json.h"

namespace backstitch::format {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRepositoryFile = "repository.json";
constexpr const char* kManifestFile = "point.json";

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

// The same where a wrong no would cost data: what cannot be looked at (I/O, a
// share that went away) must not be taken for what is not there.
bool is_surely_there(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw system_error(errno, "examine " + path.string());
}

void make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error(errno, "create directory " + path.string());
}

// readdir, since a directory of a thousand points is read at every mount and
// std::filesystem takes most of the time to make a path of each.
template <typename Take>
void for_each_entry(const fs::path& path, Take&& take) {
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, Close> directory(::opendir(path.c_str()));
  if (!directory) throw system_error(errno, "read directory " + path.string());
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") take(name);
    errno = 0;
  }
  if (errno != 0) throw system_error(errno, "read directory " + path.string());
}

std::vector<std::string> entries(const fs::path& path) {
  std::vector<std::string> names;
  for_each_entry(path,
                 [&](std::string_view name) { names.emplace_back(name); });
  return names;
}

std::vector<uint32_t> numbers_in(const fs::path& domain) {
  std::vector<uint32_t> numbers;
  for_each_entry(domain, [&](std::string_view name) {
    if (const uint32_t number = point_number(std::string(name)))
      numbers.push_back(number);
  });
  std::ranges::sort(numbers);
  return numbers;
}

uint32_t highest_number_in(const fs::path& domain) {
  uint32_t highest = 0;
  for_each_entry(domain, [&](std::string_view name) {
    highest = std::max(highest, point_number(std::string(name)));
  });
  return highest;
}

std::string random_id() {
  std::array<std::byte, 16> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) !=
      static_cast<ssize_t>(bytes.size())) {
    throw system_error(errno, "get random bytes");
  }
  return to_hex(ByteView(bytes));
}

std::string local_time(Time time) {
  const std::time_t count =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  ::localtime_r(&count, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%FT%T", &parts);
  return text.data();
}

// File systems without flock protect nobody; they can still be read.
bool lock_shared(const File& file) {
  return ::flock(file.fd(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

bool still_there(const File& file) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file.fd(), &opened) == 0 &&
         ::stat(file.path().c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

Manifest load_manifest(const fs::path& path) {
  const fs::path point = path.parent_path();
  const std::string shown = point.parent_path().filename().string() + "/" +
                            point.filename().string() + "/" +
                            path.filename().string();
  try {
    Manifest manifest = parse_manifest(read_text(path));
    if (point_name(manifest.point) != point.filename().string())
      throw Error(ErrorKind::kDamaged, "belongs to another point");
    return manifest;
  } catch (const Error& error) {
    throw add_context(error, shown);
  }
}

}  // namespace

// --- Point ---

std::shared_ptr<const DiskImage> Point::image(
    const std::string& disk, const std::shared_ptr<Caches>& caches) const {
  if (content_) return content_->image(disk);
  return image(
      std::make_shared<const DiskStore>(path_.parent_path(), disk, caches));
}

std::shared_ptr<const ChainImage> Point::image(
    const std::shared_ptr<const DiskStore>& store) const {
  const DiskManifest* disk = manifest_->disk(store->disk());
  if (disk == nullptr) {
    throw Error(ErrorKind::kNotFound,
                printable(domain_) + "@" + std::to_string(number()) +
                    " has no disk " + printable(store->disk()));
  }
  return std::make_shared<const ChainImage>(store, disk->root, disk->size_bytes,
                                            disk->data_chunks, lock_);
}

std::string Point::side_file(const std::string& name) const {
  const auto found = std::ranges::find(manifest_->files, name, &SideFile::name);
  if (found == manifest_->files.end()) {
    throw Error(ErrorKind::kNotFound,
                point_name(number()) + " has no file " + printable(name));
  }
  if (content_) return content_->side_file(name);
  std::string text = read_text(path_ / name, found->size_bytes);
  if (text.size() != found->size_bytes || hash_of(text) != found->hash) {
    throw Error(ErrorKind::kDamaged, path_.parent_path().filename().string() +
                                         "/" + point_name(number()) + "/" +
                                         name + ": is damaged (hash differs)");
  }
  return text;
}

// --- Domain ---

bool Domain::has_point(uint32_t number) const {
  if (source_) {
    const auto numbers = source_->points();
    return std::ranges::find(numbers, number) != numbers.end();
  }
  return is_surely_there(path_ / point_name(number) / kManifestFile);
}

fs::path Domain::record(uint32_t number) const {
  return source_ ? source_->record(number)
                 : path_ / point_name(number) / kManifestFile;
}

std::vector<uint32_t> Domain::points() const {
  if (source_) return source_->points();
  std::vector<uint32_t> numbers = numbers_in(path_);
  std::erase_if(numbers, [&](uint32_t number) { return !has_point(number); });
  return numbers;
}

uint32_t Domain::latest() const {
  if (source_) {
    const auto numbers = source_->points();
    return numbers.empty() ? 0 : numbers.back();
  }
  // Mostly the highest number is a point: no list of all the others then.
  const uint32_t highest = highest_number_in(path_);
  if (highest == 0 || has_point(highest)) return highest;
  std::vector<uint32_t> numbers = numbers_in(path_);
  while (!numbers.empty() && !has_point(numbers.back())) numbers.pop_back();
  return numbers.empty() ? 0 : numbers.back();
}

uint32_t Domain::last_number() const {
  return source_ ? latest() : highest_number_in(path_);
}

Point Domain::open_point(uint32_t number) const {
  const Error missing(
      ErrorKind::kNotFound,
      printable(name_) + " has no point " + std::to_string(number));
  Point point;
  point.path_ = path_ / point_name(number);
  point.domain_ = name_;
  if (source_) {
    point.content_ = source_->open(number);
    point.manifest_ = {point.content_, &point.content_->manifest()};
    return point;
  }
  const fs::path manifest = point.path_ / kManifestFile;
  if (!is_there(manifest)) throw missing;
  auto lock = std::make_shared<const File>(File::open(manifest, O_RDONLY));
  // Who deletes a point holds it exclusively until its name is gone.
  if (!lock_shared(*lock) || !still_there(*lock)) throw missing;
  point.manifest_ = std::make_shared<const Manifest>(load_manifest(manifest));
  point.lock_ = std::move(lock);
  return point;
}

std::vector<Point> Domain::open_points() const {
  std::vector<Point> opened;
  for (const uint32_t number : points()) opened.push_back(open_point(number));
  return opened;
}

uint32_t Domain::select(const std::string& selector) const {
  const Error missing(
      ErrorKind::kNotFound,
      printable(name_) + " has no point " +
          (selector == "latest" ? "at all"
                                : "\"" + printable(selector) + "\""));
  if (selector == "latest") {
    if (const uint32_t number = latest(); number != 0) return number;
    throw missing;
  }
  const bool digits =
      !selector.empty() && selector.size() <= 9 &&
      selector.find_first_not_of("0123456789") == std::string::npos;
  if (digits) {
    const auto number = static_cast<uint32_t>(std::stoul(selector));
    if (number != 0 && has_point(number)) return number;
  }
  // "2026" is a year where it is no point.
  if (selector.size() < 4) throw missing;
  const auto numbers = points();
  std::string prefix = selector;
  if (prefix.size() > 10 && prefix[10] == ' ') prefix[10] = 'T';
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    const Time time = open_point(*number).manifest().time;
    if (local_time(time).starts_with(prefix) ||
        format_time(time).starts_with(prefix)) {
      return *number;
    }
  }
  throw missing;
}

std::vector<Manifest> Domain::remains() const {
  std::vector<Manifest> found;
  if (source_) return found;
  for (const uint32_t number : numbers_in(path_)) {
    for (const char* name : {"deleted.json", "remains.json"}) {
      const fs::path path = path_ / point_name(number) / name;
      if (is_surely_there(path)) found.push_back(load_manifest(path));
    }
  }
  return found;
}

std::shared_ptr<const DiskStore> Domain::store(
    const std::string& disk, const std::shared_ptr<Caches>& caches) const {
  return std::make_shared<const DiskStore>(path_, disk, caches);
}

// --- Repository ---

Repository Repository::create(const fs::path& path) {
  if (is_there(path / kRepositoryFile)) {
    throw Error(ErrorKind::kUsage, path.string() + ": is a repository already");
  }
  if (is_there(path) && (!fs::is_directory(path) || !fs::is_empty(path))) {
    throw Error(ErrorKind::kUsage,
                path.string() + ": is not an empty directory");
  }
  make_directory(path);
  const std::string id = random_id();
  const std::string text = seal({{"id", id},
                                 {"created", format_time(now())},
                                 {"tool", "backstitch " BACKSTITCH_VERSION}});
  const fs::path temporary = path / ".repository.json.new";
  try {
    if (::chmod(path.c_str(), 0700) != 0)
      throw system_error(errno, "protect " + path.string());
    write_new_file(temporary, text);
    rename_path(temporary, path / kRepositoryFile);
    sync_directory(path);
    sync_directory(fs::absolute(path).lexically_normal().parent_path());
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  return Repository(path, id);
}

Repository Repository::open(const fs::path& path) {
  const fs::path file = path / kRepositoryFile;
  try {
    const auto json = unseal(read_text(file));
    return reading_json(
        [&] { return Repository(path, json.at("id").get<std::string>()); });
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound ||
        error.system_errno() == ENOTDIR) {
      throw Error(
          ErrorKind::kNotFound,
          path.string() + ": is no repository (there is no repository.json)");
    }
    throw error.system_errno() != 0 ? error : add_context(error, file.string());
  }
}

Repository Repository::of_archive(fs::path path, std::string id,
                                  std::vector<Domain> domains) {
  Repository archive(std::move(path), std::move(id));
  archive.archive_ =
      std::make_shared<const std::vector<Domain>>(std::move(domains));
  return archive;
}

void Repository::check_writable() const {
  if (!is_archive()) return;
  throw Error(ErrorKind::kUnsupported,
              path_.string() +
                  ": is an archive of virtnbdbackup, which is only read; "
                  "`backstitch import` brings its points into a repository");
}

bool Repository::has_domain(const std::string& name) const {
  if (!is_archive()) return is_there(path_ / name / "lock");
  return std::ranges::find(*archive_, name, &Domain::name) != archive_->end();
}

std::vector<Domain> Repository::domains() const {
  if (is_archive()) return *archive_;
  std::vector<Domain> found;
  for (const std::string& name : entries(path_)) {
    if (name[0] != '.' && is_there(path_ / name / "lock"))
      found.emplace_back(path_ / name, name);
  }
  std::ranges::sort(found, {}, &Domain::name);
  return found;
}

Domain Repository::domain(const std::string& name) const {
  check_domain_name(name);
  if (!has_domain(name)) {
    throw Error(ErrorKind::kNotFound,
                path_.string() + ": has no domain \"" + printable(name) + "\"");
  }
  if (is_archive()) return *std::ranges::find(*archive_, name, &Domain::name);
  return Domain(path_ / name, name);
}

Domain Repository::create_domain(const std::string& name) const {
  check_writable();
  check_domain_name(name);
  const fs::path path = path_ / name;
  // Synced also when it is there: who made it may have been killed before.
  if (!is_there(path)) make_directory(path);
  sync_directory(path_);
  return Domain(path, name);
}

Repository::PointName Repository::resolve(const std::string& point) const {
  const size_t at = point.rfind('@');
  std::string name = point;
  std::string selector = "latest";
  // A domain may have an '@' in its name.
  if (at != std::string::npos && !has_domain(point)) {
    name = point.substr(0, at);
    selector = point.substr(at + 1);
  }
  Domain found = domain(name);
  const uint32_t number = found.select(selector);
  return {std::move(found), number};
}

}  // namespace backstitch::format
