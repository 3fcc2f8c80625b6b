#include "format/sparsestream/archive_logs.h"

#include <algorithm>
#include <cstdio>

namespace backstitch::format {
namespace {

constexpr uint64_t kMostLog = 1 << 20;
constexpr std::pair<unsigned, unsigned> kFirstThatDrops = {2, 21};

// The word behind `key`, up to a blank or the end of the line.
std::string word_after(const std::string& text, const std::string& key) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return text.substr(begin, text.find_first_of(" \r\n", begin) - begin);
}

std::string line_with(const std::string& text, const std::string& key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? ""
                                 : text.substr(at, text.find('\n', at) - at);
}

bool is_older(const std::string& version) {
  unsigned major = 0;
  unsigned minor = 0;
  return std::sscanf(version.c_str(), "%u.%u", &major, &minor) == 2 &&
         std::pair(major, minor) < kFirstThatDrops;
}

}  // namespace

ArchiveLogs::ArchiveLogs(const ArchiveFiles& files) {
  for (const auto& [name, place] : files.others) {
    if (!name.starts_with("backup.") || !name.ends_with(".log")) continue;
    try {
      read_log(place);
    } catch (const Error&) {
      // One that cannot be read tells nothing.
    }
  }
}

void ArchiveLogs::read_log(const StoredPlace& place) {
  const StoredFile file(place);
  std::string text(std::min(kMostLog, file.size()), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  const std::string line = line_with(text, "Version: ");
  Run run{.version = word_after(line, "Version: ")};
  if (run.version.empty()) return;
  run.keeps_zeroes = is_older(run.version) ||
                     line.find("--no-sparse-detection") != std::string::npos;
  if (place.in_zip) by_zip_[place.path] = run;
  const std::string key = "Write data to target file: [";
  for (size_t at = text.find(key); at != std::string::npos;
       at = text.find(key, at + 1)) {
    const size_t begin = at + key.size();
    std::string name = text.substr(begin, text.find(']', begin) - begin);
    name.erase(0, name.rfind('/') + 1);
    const size_t partial = name.rfind(".partial");
    if (partial != std::string::npos) name.erase(partial);
    by_file_[name] = run;
  }
}

const ArchiveLogs::Run* ArchiveLogs::run_of(const DataFile& file) const {
  if (file.place.in_zip) {
    const auto found = by_zip_.find(file.place.path);
    return found == by_zip_.end() ? nullptr : &found->second;
  }
  const auto found = by_file_.find(file.place.name);
  return found == by_file_.end() ? nullptr : &found->second;
}

std::string ArchiveLogs::version(const DataFile& file) const {
  const Run* run = run_of(file);
  return run == nullptr ? "" : run->version;
}

std::string ArchiveLogs::why_stale(const DataFile& file) const {
  // The old spellings are of versions that dropped nothing.
  if (file.is_raw || !file.meta.incremental || file.meta.old_keys ||
      file.meta.version < 2) {
    return "";
  }
  const Run* run = run_of(file);
  if (run == nullptr) {
    return file.place.name +
           " may lack ranges that became zero: no log tells which version "
           "wrote it";
  }
  if (run->keeps_zeroes) return "";
  return file.place.name + " lacks ranges that became zero: virtnbdbackup " +
         run->version + " wrote it without --no-sparse-detection";
}

}  // namespace backstitch::format
