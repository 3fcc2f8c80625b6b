#include "format/sparsestream/archive_files.h"

#include <algorithm>
#include <array>

#include "format/repository/names.h"
#include "format/sparsestream/zip.h"

namespace backstitch::format {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".data";
constexpr std::string_view kPartialSuffix = ".data.partial";
constexpr uint64_t kSectorBytes = 512;
constexpr std::array<std::pair<std::string_view, DataFile::Level>, 4> kLevels =
    {{{"full", DataFile::Level::kFull},
      {"copy", DataFile::Level::kCopy},
      {"inc", DataFile::Level::kIncremental},
      {"diff", DataFile::Level::kDifferential}}};

bool ends_with_frame(const StoredFile& file) {
  std::string text(kFrameBytes, '\0');
  file.read_at(file.size() - kFrameBytes,
               std::as_writable_bytes(std::span(text)));
  try {
    parse_frame(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// A raw image has nothing that says so: it is what cannot be a stream, not even
// one with a damaged beginning.
bool is_raw_image(const StoredFile& file, const DataFile& data) {
  if (data.level != DataFile::Level::kFull &&
      data.level != DataFile::Level::kCopy) {
    return false;
  }
  if (file.size() == 0 || file.size() % kSectorBytes != 0) return false;
  std::string beginning(kFrameBytes, '\0');
  file.read_at(0, std::as_writable_bytes(std::span(beginning)));
  return !resembles_stream(beginning) && !ends_with_frame(file);
}

void examine(DataFile& data) {
  if (data.is_partial) {
    throw Error(
        ErrorKind::kDamaged,
        data.place.name + ": is what an unfinished run of virtnbdbackup left");
  }
  check_disk_name(data.disk);
  const StoredFile file(data.place);
  data.is_raw = is_raw_image(file, data);
  if (data.is_raw) {
    data.meta.virtual_size = data.meta.data_size = file.size();
    data.meta.disk_format = "raw";
    return;
  }
  data.meta = read_meta(file);
  check_complete(file, data.meta);
}

class Collector {
 public:
  void add_zip(const fs::path& path) {
    for (ZipEntry& entry : read_zip(path)) {
      if (entry.is_stored) {
        add(std::move(entry.place));
      } else if (parse_data_name(entry.place.name)) {
        throw Error(ErrorKind::kUnsupported,
                    path.string() + ": its entry " +
                        printable(entry.place.name) +
                        " is compressed; only stored entries are read where "
                        "they are: unpack it first");
      } else {
        files_.unreadable.push_back(entry.place.name);
      }
    }
  }

  void add_directory(const fs::path& path) {
    std::vector<fs::path> zips;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".zip")) {
        zips.push_back(entry.path());
        continue;
      }
      StoredPlace place;
      place.name = name;
      place.path = entry.path();
      place.stamp = stamp_of(entry.path());
      place.length = place.stamp.size;
      add(std::move(place));
    }
    for (const fs::path& zip : zips) add_zip(zip);
  }

  ArchiveFiles finish() && {
    std::ranges::sort(files_.data, {}, [](const DataFilePointer& file) {
      return file->place.name;
    });
    return std::move(files_);
  }

 private:
  void add(StoredPlace place) {
    auto data = parse_data_name(place.name);
    if (!data) {
      files_.others.try_emplace(place.name, place);
      return;
    }
    for (const DataFilePointer& other : files_.data) {
      if (other->place.name != place.name) continue;
      throw Error(ErrorKind::kUnsupported,
                  printable(place.name) + ": lies in " +
                      other->place.path.string() + " and in " +
                      place.path.string() +
                      ", so these are two archives; name one of them");
    }
    data->place = std::move(place);
    try {
      examine(*data);
    } catch (const Error& error) {
      data->error = error;
    }
    files_.data.push_back(std::make_shared<const DataFile>(std::move(*data)));
  }

  ArchiveFiles files_;
};

}  // namespace

std::optional<std::string> ArchiveFiles::text(const std::string& name) const {
  const auto found = others.find(name);
  if (found == others.end()) return std::nullopt;
  return StoredFile(found->second).text(64 << 20);
}

ArchiveFiles find_archive_files(const fs::path& path) {
  Collector collector;
  try {
    if (fs::is_directory(path)) {
      collector.add_directory(path);
    } else {
      collector.add_zip(path);
    }
  } catch (const fs::filesystem_error& error) {
    throw system_error(error.code().value(), "read " + path.string());
  }
  return std::move(collector).finish();
}

bool holds_archive(const fs::path& path) {
  std::error_code code;
  if (fs::is_regular_file(path, code)) return path.extension() == ".zip";
  for (fs::directory_iterator at(path, code), end; !code && at != end;
       at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (parse_data_name(name)) return true;
    if (!name.ends_with(".zip")) continue;
    const auto entries = read_zip(at->path());
    if (std::ranges::any_of(entries, [](const ZipEntry& entry) {
          return parse_data_name(entry.place.name).has_value();
        })) {
      return true;
    }
  }
  return false;
}

std::optional<DataFile> parse_data_name(const std::string& name) {
  DataFile file;
  std::string_view rest = name;
  file.is_partial = rest.ends_with(kPartialSuffix);
  if (!file.is_partial && !rest.ends_with(kSuffix)) return std::nullopt;
  rest.remove_suffix(file.is_partial ? kPartialSuffix.size() : kSuffix.size());
  const size_t dot = rest.find('.');
  if (dot == 0 || dot == std::string_view::npos) return std::nullopt;
  file.disk = rest.substr(0, dot);
  rest.remove_prefix(dot + 1);
  const size_t next = std::min(rest.find('.'), rest.size());
  const auto level =
      std::ranges::find(kLevels, rest.substr(0, next),
                        &std::pair<std::string_view, DataFile::Level>::first);
  if (level == kLevels.end()) return std::nullopt;
  file.level = level->second;
  if (next < rest.size()) file.ident = rest.substr(next + 1);
  const bool has_ident = file.level == DataFile::Level::kIncremental ||
                         file.level == DataFile::Level::kDifferential;
  if (has_ident == file.ident.empty()) return std::nullopt;
  return file;
}

}  // namespace backstitch::format
