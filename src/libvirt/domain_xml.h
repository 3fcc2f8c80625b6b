// What a domain's XML says of the things that are backed up.
// Source: libvirt's formatdomain.html.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace backstitch::engine {

struct DomainDisk {
  std::string target;  // "vda"
  std::string device;  // "disk", "cdrom", "floppy", "lun"
  std::string type;    // of its source: "file", "block", "volume", …
  std::string format;  // "qcow2", "raw"; empty: not said
  std::string path;    // of a file or block device; empty otherwise
  std::string pool;    // of a volume
  std::string volume;  // of a volume
  bool has_source = false;
  bool readonly = false;
  bool transient = false;
  // Files of the backing chain below `path`, as far as a live description or
  // the user's own says.
  std::vector<std::string> backing;
};

struct DomainXml {
  std::string name;
  std::string uuid;
  std::vector<DomainDisk> disks;
  std::string loader;  // paths; empty: none
  std::string nvram;
  bool chosen_efi = false;  // UEFI firmware that libvirt chooses at the start
  std::string kernel;
  std::string initrd;
  bool has_tpm = false;    // an emulated one
  bool has_agent = false;  // its channel, whether or not somebody answers
  // Whom the machine's process runs as, "+64055:+121"; live only.
  std::string dac_label;
};

// Where libvirt keeps UEFI variables that nobody has named a place for; of the
// system's machines.
std::string chosen_nvram(const std::string& machine);

// Throws kFailed on what is no domain description.
DomainXml parse_domain_xml(const std::string& text);

}  // namespace backstitch::engine
