#include "format/replication/repair_files.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "format/base/error.h"
#include "format/repository/names.h"

namespace backstitch::format {

namespace {

namespace fs = std::filesystem;

constexpr std::array<PointState, 3> kStates = {
    PointState::kLive, PointState::kDeleted, PointState::kRemains};

// Whether a header of the directory has another point's id, or this one's.
enum class Headers { kSay, kDeny, kUnknown };

Headers ask_headers(const fs::path& directory, const Manifest& manifest) {
  Headers answer = Headers::kUnknown;
  for (const DiskManifest& disk : manifest.disks) {
    for (const FileKind kind : {FileKind::kMap, FileKind::kData}) {
      try {
        const File file =
            File::open(directory / disk_file(disk.name, kind), O_RDONLY);
        std::array<std::byte, kHeaderBytes> bytes;
        file.read_at(0, bytes);
        if (decode_header(bytes) != header_of(manifest, disk.name, kind))
          return Headers::kDeny;
        answer = Headers::kSay;
      } catch (const Error&) {
        continue;  // damaged or not there: says nothing
      }
    }
  }
  return answer;
}

class PointFiles {
 public:
  PointFiles(const Domain& domain, uint32_t number,
             const RepairSources& sources, RepairLog& log)
      : domain_(domain),
        number_(number),
        directory_(domain.path() / point_name(number)),
        sources_(sources),
        log_(log) {}

  void run() {
    const auto stored = manifest();
    if (!stored) return;
    for (const DiskManifest& disk : stored->manifest.disks) {
      repair_disk(stored->manifest, disk, FileKind::kMap);
      repair_disk(stored->manifest, disk, FileKind::kData);
    }
    if (!stored->live()) return;
    for (const SideFile& file : stored->manifest.files) repair_side(file);
  }

 private:
  Mended mended(const std::string& file, const char* what,
                const std::string& from) const {
    Mended entry;
    entry.file = domain_.name() + "/" + point_name(number_) + "/" + file;
    entry.what = what;
    entry.from = from;
    return entry;
  }

  // As it is, or as it becomes; nothing where nobody has it.
  std::optional<StoredManifest> manifest() {
    try {
      if (auto stored = read_stored(domain_, number_)) return stored;
    } catch (const Error& error) {
      // A newer version's is none of our business.
      if (error.kind() == ErrorKind::kUnsupported) return {};
    }
    for (const Domain& replica : sources_.replicas) {
      auto theirs = from_replica(replica);
      if (!theirs) continue;
      const char* name = manifest_file(theirs->state);
      log_.replace(directory_ / name, theirs->text,
                   mended(name, "manifest", replica.path().string()));
      return theirs;
    }
    return {};
  }

  // The replica's manifest if that is of the same point, with the state that
  // the point has here.
  std::optional<StoredManifest> from_replica(const Domain& replica) {
    std::optional<StoredManifest> theirs;
    try {
      theirs = read_stored(replica, number_);
    } catch (const Error&) {
      return {};
    }
    if (!theirs) return {};
    const Headers headers = ask_headers(directory_, theirs->manifest);
    bool same = headers == Headers::kSay;
    // Of what is not here nobody can say whether it was deleted; what is freed
    // by mistake is gone, what is kept can be deleted.
    for (const PointState state : kStates) {
      const fs::path here = directory_ / manifest_file(state);
      if (!fs::exists(here)) continue;
      theirs->state = state;
      same = same || begins_alike(here, theirs->text);
      break;
    }
    if (!same || headers == Headers::kDeny) return {};
    return theirs;
  }

  // The first bytes are the hash of all others.
  static bool begins_alike(const fs::path& path, const std::string& text) {
    constexpr size_t kHashEnd = 41;
    std::array<std::byte, kHashEnd> bytes{};
    try {
      File::open(path, O_RDONLY).read_at(0, bytes);
    } catch (const Error&) {
      return false;
    }
    return std::ranges::equal(bytes,
                              std::as_bytes(std::span(text)).first(kHashEnd));
  }

  void repair_disk(const Manifest& manifest, const DiskManifest& disk,
                   FileKind kind) {
    const std::string name = disk_file(disk.name, kind);
    const fs::path path = directory_ / name;
    const FileHeader header = header_of(manifest, disk.name, kind);
    const auto bytes = encode(header);
    if (!fs::exists(path)) {
      log_.replace(path,
                   {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                   mended(name, "header", ""));
      if (log_.dry_run()) return;
    }
    if (!has_header(File::open(path, O_RDONLY), header))
      log_.overwrite(path, bytes, mended(name, "header", ""));
    const uint64_t length = length_of(disk, kind);
    if (File::open(path, O_RDONLY).size() != length)
      log_.resize(path, length, mended(name, "length", ""));
  }

  void repair_side(const SideFile& file) {
    if (side_file(domain_, number_, file)) return;
    std::vector<Domain> places = sources_.replicas;
    places.push_back(domain_);
    for (const Domain& place : places) {
      for (const uint32_t number : stored_numbers(place)) {
        const auto content = side_file(place, number, file);
        if (!content) continue;
        log_.replace(directory_ / file.name, *content,
                     mended(file.name, "side file", place.path().string()));
        return;
      }
    }
  }

  static std::optional<std::string> side_file(const Domain& domain,
                                              uint32_t number,
                                              const SideFile& file) {
    try {
      std::string content = read_text(
          domain.path() / point_name(number) / file.name, file.size_bytes);
      if (content.size() != file.size_bytes || hash_of(content) != file.hash)
        return {};
      return content;
    } catch (const Error&) {
      return {};
    }
  }

  const Domain& domain_;
  const uint32_t number_;
  const fs::path directory_;
  const RepairSources& sources_;
  RepairLog& log_;
};

}  // namespace

void repair_files(const Domain& domain, uint32_t number,
                  const RepairSources& sources, RepairLog& log) {
  PointFiles(domain, number, sources, log).run();
}

}  // namespace backstitch::format
