#include "src/recovery/define_plan.h"

#include <algorithm>
#include <set>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/image/bitmap_plan.h"
#include "src/libvirt/domain_xml.h"
#include "src/recovery/session.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using format::DiskManifest;
using format::printable;

std::string source_of(const DiskManifest& disk, const char* key) {
  const auto found = disk.source.find(key);
  return found == disk.source.end() ? std::string() : found->second;
}

bool contains(const std::vector<std::string>& list, const std::string& one) {
  return std::ranges::find(list, one) != list.end();
}

void refuse_replacement(const KnownMachine& machine, const std::string& name,
                        bool overwrite) {
  const std::string taken =
      machine.name == name
          ? "there is a machine " + printable(name) + " already"
          : "the machine " + printable(machine.name) + " has the same UUID";
  if (machine.active) {
    throw Error(ErrorKind::kBusy,
                taken +
                    ", and it runs: shut it down first, or say --name for "
                    "another one beside it");
  }
  if (overwrite) return;
  throw Error(ErrorKind::kUsage,
              taken +
                  ": --force replaces its definition, --name makes "
                  "another one beside it");
}

// Names of files, made of what the source was called.
class Names {
 public:
  Names(const Identity& identity, bool devices)
      : own_(identity.twin || identity.renamed),
        name_(identity.name),
        devices_(devices) {}

  std::string of(const DiskManifest& disk, const char* format) {
    const std::string own =
        name_ + "-" + disk.name + (devices_ ? "" : "." + std::string(format));
    const fs::path source = source_of(disk, "path");
    // A device says nothing of what a file should be called.
    const bool file = source.has_filename() &&
                      !source.string().starts_with("/dev/") &&
                      source_of(disk, "type") != "block";
    if (!file || devices_ || own_ || !taken_.insert(source.filename()).second) {
      taken_.insert(own);
      return own;
    }
    return source_of(disk, "format") == format
               ? source.filename().string()
               : source.stem().string() + "." + format;
  }

 private:
  const bool own_;
  const std::string name_;
  const bool devices_;
  std::set<std::string> taken_;
};

bool is_ours(const KnownMachine& machine, const Identity& identity) {
  return std::ranges::any_of(identity.replaced,
                             [&](const KnownMachine& replaced) {
                               return replaced.uuid == machine.uuid;
                             });
}

// Where the guest's bytes of a qcow2 file lie beside it.
void place_data_file(PlacedDisk& disk, bool own_name) {
  if (disk.options.data_file.empty()) return;
  const fs::path path = disk.path;
  const fs::path name = disk.options.data_file.filename();
  const bool keep = !own_name && name != path.filename();
  disk.options.data_file =
      keep ? path.parent_path() / name : fs::path(disk.path + ".data");
}

class Placing {
 public:
  Placing(const DefineRequest& request, const Identity& identity,
          const StoragePool* pool, std::vector<std::string>& notes)
      : request_(request),
        pool_(pool),
        notes_(notes),
        names_(identity, pool != nullptr && !pool->holds_files()),
        own_names_(identity.twin || identity.renamed) {}

  PlacedDisk place(const DiskManifest& disk) {
    PlacedDisk placed;
    placed.disk = &disk;
    const auto named = request_.places.find(disk.name);
    if (named != request_.places.end()) {
      placed.path = fs::absolute(named->second).lexically_normal();
      if (is_block_device(placed.path)) placed.kind = PlacedDisk::Kind::kDevice;
      check_place(placed);
    } else if (pool_ != nullptr) {
      placed.kind = PlacedDisk::Kind::kVolume;
    } else if (request_.directory.empty()) {
      throw Error(ErrorKind::kUsage, disk.name +
                                         " has no place: say a directory, "
                                         "--pool, or --to " +
                                         disk.name + "=PATH");
    }
    choose_format(placed);
    if (named != request_.places.end()) {
      place_data_file(placed, own_names_);
      return placed;
    }
    const std::string name = names_.of(disk, placed.format_name());
    placed.volume = pool_ != nullptr ? name : "";
    const std::string folder =
        pool_ != nullptr
            ? pool_->directory()
            : fs::absolute(request_.directory).lexically_normal().string();
    placed.path = (fs::path(folder) / name).string();
    place_data_file(placed, own_names_);
    return placed;
  }

 private:
  static void check_place(const PlacedDisk& placed) {
    if (placed.kind == PlacedDisk::Kind::kDevice) return;
    // What is below /dev and no device is a slip of the pen.
    if (placed.path.starts_with("/dev/") &&
        !placed.path.starts_with("/dev/shm/")) {
      throw Error(ErrorKind::kNotFound, placed.path + " is no block device");
    }
    const fs::path folder = fs::path(placed.path).parent_path();
    std::error_code code;
    if (!fs::is_directory(folder, code))
      throw Error(ErrorKind::kNotFound, folder.string() + " is no directory");
  }

  void choose_format(PlacedDisk& placed) {
    const std::string name = placed.disk->name;
    const std::string before = source_of(*placed.disk, "format");
    std::string format = request_.format.empty() ? before : request_.format;
    if (format != "raw" && format != "qcow2") {
      notes_.push_back(name + ": qcow2" +
                       (before.empty() ? "" : ", it was " + before));
      format = "qcow2";
    }
    const bool device =
        placed.kind == PlacedDisk::Kind::kDevice ||
        (placed.kind == PlacedDisk::Kind::kVolume && !pool_->holds_files());
    if (device && format == "qcow2") {
      if (request_.format == "qcow2") {
        throw Error(ErrorKind::kUsage,
                    name + " goes to a block device, which takes raw only");
      }
      notes_.push_back(name + ": raw on a block device, it was qcow2");
      format = "raw";
    }
    if (format == "raw") return;
    placed.format = ImageFormat::kQcow2;
    if (before == "qcow2") placed.options = qcow2_options_of(*placed.disk);
    if (placed.options.data_file.empty() ||
        placed.kind != PlacedDisk::Kind::kVolume) {
      return;
    }
    notes_.push_back(name + ": one volume, it had a data file");
    placed.options.data_file.clear();
    placed.options.data_file_raw = false;
  }

  const DefineRequest& request_;
  const StoragePool* const pool_;
  std::vector<std::string>& notes_;
  Names names_;
  const bool own_names_;
};

void check_places(const DefineRequest& request,
                  const std::vector<const DiskManifest*>& disks) {
  for (const auto& place : request.places) {
    if (std::ranges::any_of(disks, [&](const DiskManifest* disk) {
          return disk->name == place.first;
        })) {
      continue;
    }
    throw Error(ErrorKind::kUsage, "--to " + place.first + "=" + place.second +
                                       ": no disk " + place.first +
                                       " is being restored");
  }
}

}  // namespace

const char* PlacedDisk::format_name() const {
  return format == ImageFormat::kQcow2 ? "qcow2" : "raw";
}

Identity choose_identity(const format::Manifest& manifest,
                         const std::string& xml, const DefineRequest& request,
                         const std::vector<KnownMachine>& known) {
  const DomainXml domain = parse_domain_xml(xml);
  const auto macs = mac_addresses(xml);
  Identity identity;
  identity.name = request.name;
  if (identity.name.empty())
    identity.name = domain.name.empty() ? manifest.domain : domain.name;
  format::check_domain_name(identity.name);
  identity.renamed =
      identity.name != (domain.name.empty() ? manifest.domain : domain.name);
  identity.uuid = domain.uuid;
  for (const KnownMachine& machine : known) {
    const bool same_name = machine.name == identity.name;
    const bool same_uuid = machine.uuid == domain.uuid;
    if (same_name || (same_uuid && request.name.empty())) {
      refuse_replacement(machine, identity.name, request.overwrite);
      identity.replaced.push_back(machine);
      continue;
    }
    const bool same_mac = std::ranges::any_of(
        macs,
        [&](const std::string& mac) { return contains(machine.macs, mac); });
    if (!request.name.empty() && (same_uuid || same_mac)) identity.twin = true;
  }
  if (identity.twin || identity.uuid.empty()) identity.uuid = new_uuid();
  return identity;
}

std::vector<PlacedDisk> place_disks(const format::Manifest& manifest,
                                    const DefineRequest& request,
                                    const Identity& identity,
                                    const StoragePool* pool,
                                    std::vector<std::string>& notes) {
  const auto disks = disks_named(manifest, request.disks);
  check_places(request, disks);
  Placing placing(request, identity, pool, notes);
  std::vector<PlacedDisk> placed;
  std::set<std::string> paths;
  for (const DiskManifest* disk : disks) {
    placed.push_back(placing.place(*disk));
    for (const std::string& path :
         {placed.back().path, placed.back().options.data_file.string()}) {
      if (path.empty() || paths.insert(path).second) continue;
      throw Error(ErrorKind::kUsage, path + " would be two files at once");
    }
  }
  return placed;
}

void refuse_others_disks(const std::vector<PlacedDisk>& disks,
                         const Identity& identity,
                         const std::vector<KnownMachine>& known) {
  for (const KnownMachine& machine : known) {
    if (is_ours(machine, identity)) continue;
    for (const PlacedDisk& disk : disks) {
      if (!contains(machine.paths, disk.path)) continue;
      throw Error(machine.active ? ErrorKind::kBusy : ErrorKind::kUsage,
                  disk.path + " belongs to the machine " +
                      printable(machine.name) +
                      (machine.active ? ", which runs" : ""));
    }
  }
}

}  // namespace backstitch::engine
