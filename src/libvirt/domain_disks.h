// Which disks of a domain are backed up, and what is known of their images.
#pragma once

#include <string>
#include <vector>

#include "src/image/bitmap_plan.h"
#include "src/libvirt/connection.h"
#include "src/libvirt/domain_xml.h"
#include "src/libvirt/host.h"

namespace backstitch::engine {

struct DiskChoice {
  std::vector<DomainDisk> disks;      // to be backed up
  std::vector<std::string> left_out;  // targets of the others
  // Why those that nobody excluded are left out: "hdc: a cdrom".
  std::vector<std::string> notes;
};

// All hard disks with a source, or those that `include` names, without those
// that `exclude` names. Throws kUsage when one is not there or cannot be backed
// up, or when none is left.
DiskChoice choose_disks(const DomainXml& domain,
                        const std::vector<std::string>& include,
                        const std::vector<std::string>& exclude);

// Fills in the paths of volumes of storage pools.
void resolve_volumes(Connection& connection, std::vector<DomainDisk>& disks);

// What qemu-img says of the disk's image, even while a machine uses it. What
// cannot be looked at (a network disk, a host out of reach) has only its
// format.
ImageInfo look_at_image(const Host& host, const DomainDisk& disk);

// The inode of a file there; empty for what is none, or cannot be looked at.
std::string inode_at(const Host& host, const std::string& path);

}  // namespace backstitch::engine
