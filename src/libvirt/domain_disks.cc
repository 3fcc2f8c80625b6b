#include "src/libvirt/domain_disks.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "format/base/error.h"
#include "src/libvirt/storage_pool.h"

namespace backstitch::engine {
namespace {

bool names(const std::vector<std::string>& list, const std::string& target) {
  return std::ranges::find(list, target) != list.end();
}

// Empty when it can be backed up.
std::string why_left_out(const DomainDisk& disk) {
  if (disk.device == "lun") return "a SCSI device passed through";
  if (disk.device != "disk") return "a " + disk.device;
  if (!disk.has_source) return "a drive without a medium";
  if (disk.type == "vhostuser" || disk.type == "dir")
    return "a disk of type " + disk.type + ", which QEMU cannot back up";
  return {};
}

void check_names(const std::string& option,
                 const std::vector<std::string>& targets,
                 const DomainXml& domain) {
  for (const std::string& target : targets) {
    const auto found =
        std::ranges::find(domain.disks, target, &DomainDisk::target);
    if (found == domain.disks.end()) {
      throw Error(ErrorKind::kUsage, option + " " + target + ": " +
                                         domain.name + " has no such disk");
    }
    const std::string why = why_left_out(*found);
    if (option == "--include" && !why.empty())
      throw Error(ErrorKind::kUsage, option + " " + target + ": it is " + why);
  }
}

std::string volume_path(Connection& connection, const DomainDisk& disk) {
  const std::string what =
      "find the volume " + disk.volume + " of the pool " + disk.pool;
  const PoolHandle pool(
      virStoragePoolLookupByName(connection.get(), disk.pool.c_str()));
  if (!pool) throw libvirt_failure(what);
  const VolumeHandle volume(
      virStorageVolLookupByName(pool.get(), disk.volume.c_str()));
  if (!volume) throw libvirt_failure(what);
  return take_text(virStorageVolGetPath(volume.get()), what);
}

}  // namespace

DiskChoice choose_disks(const DomainXml& domain,
                        const std::vector<std::string>& include,
                        const std::vector<std::string>& exclude) {
  check_names("--include", include, domain);
  check_names("--exclude", exclude, domain);
  DiskChoice choice;
  for (const DomainDisk& disk : domain.disks) {
    const std::string why = why_left_out(disk);
    const bool wanted = (include.empty() || names(include, disk.target)) &&
                        !names(exclude, disk.target);
    if (why.empty() && wanted) {
      choice.disks.push_back(disk);
      continue;
    }
    choice.left_out.push_back(disk.target);
    if (wanted) choice.notes.push_back(disk.target + ": " + why);
  }
  if (choice.disks.empty()) {
    throw Error(ErrorKind::kUsage,
                domain.name + " has no disk that is to be backed up");
  }
  return choice;
}

void resolve_volumes(Connection& connection, std::vector<DomainDisk>& disks) {
  for (DomainDisk& disk : disks) {
    if (disk.type == "volume" && disk.path.empty())
      disk.path = volume_path(connection, disk);
  }
}

ImageInfo look_at_image(const Host& host, const DomainDisk& disk) {
  ImageInfo info;
  info.format = disk.format.empty() ? "raw" : disk.format;
  info.compat = "unknown";
  info.path = disk.path;
  if (disk.path.empty()) return info;
  try {
    info = parse_image_info(
        host.run({"qemu-img", "info", "--force-share", "--output=json", "-f",
                  info.format, "--", disk.path}));
    info.path = disk.path;
    info.inode = inode_at(host, disk.path);
  } catch (const Error& error) {
    spdlog::debug("{}: {}", disk.target, error.what());
  }
  return info;
}

std::string inode_at(const Host& host, const std::string& path) {
  if (host.local()) return inode_of(path);
  try {
    std::string text =
        host.run({"stat", "--dereference", "--format=%F %i", "--", path});
    const size_t inode = text.find_last_of(' ') + 1;
    if (!text.starts_with("regular")) return {};
    return text.substr(inode, text.find('\n') - inode);
  } catch (const Error& error) {
    spdlog::debug("{}", error.what());
    return {};
  }
}

}  // namespace backstitch::engine
