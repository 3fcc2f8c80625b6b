// What belongs to a machine beside its disks.
#pragma once

#include <string>
#include <vector>

#include "format/repository/point_writer.h"
#include "src/libvirt/connection.h"
#include "src/libvirt/domain_xml.h"
#include "src/libvirt/host.h"

namespace backstitch::engine {

// The machine's descriptions, taken when the point's time is.
struct Descriptions {
  std::string inactive;  // as it will start next time
  std::string live;      // as it runs; empty for a machine that is off
  DomainXml xml;         // parsed, of the live one where there is one
};
Descriptions describe_machine(Guest& guest);

// Adds to the point:
//   domain.xml, domain-live.xml   the descriptions
//   nvram.fd, loader.fd           UEFI variables and firmware
//   kernel, initrd                of a machine that is started with its own
//   tpm.FILE                      state of an emulated TPM
//   DISK.iso                      media of cdroms up to 64 MiB (cloud-init)
//   machine.json                  autostart, and what the guest's agent says
// Gives, in words, what is there and could not be read.
std::vector<std::string> add_side_files(format::PointWriter& writer,
                                        Guest& guest, const Host& host,
                                        const Descriptions& descriptions);

}  // namespace backstitch::engine
