// What libvirt, QEMU and each machine can do.
#include <unistd.h>

#include <algorithm>

#include "format/base/error.h"
#include "src/doctor/checks.h"
#include "src/libvirt/connection.h"
#include "src/libvirt/domain_disks.h"
#include "src/libvirt/domain_xml.h"
#include "src/libvirt/host.h"
#include "src/recovery/machine_files.h"

namespace backstitch::engine {
namespace {

constexpr char kCheck[] = "hypervisor";
// Pull-mode backup with checkpoints is on by default since then.
constexpr unsigned long kOldestLibvirt = 7'002'000;

bool runs_systemd() { return ::access("/run/systemd/system", F_OK) == 0; }

void check_version(Connection& connection, Findings& findings) {
  unsigned long version = 0;
  virConnectGetLibVersion(connection.get(), &version);
  if (version < kOldestLibvirt) {
    findings.problem(kCheck,
                     "libvirt " + connection.libvirt_version() +
                         " cannot back up running machines; 7.2 can",
                     "apt-get install --only-upgrade libvirt-daemon-system");
    return;
  }
  findings.good(kCheck, "libvirt " + connection.libvirt_version() + ", QEMU " +
                            connection.hypervisor_version());
}

void check_kvm(Connection& connection, Findings& findings) {
  if (has_kvm(connection)) return;
  findings.note(kCheck, "without KVM machines run slowly",
                "modprobe -a kvm_intel kvm_amd");
}

void check_image(const std::string& name, bool active, const DomainDisk& disk,
                 const ImageInfo& image, Findings& findings) {
  const std::string where = name + ", " + disk.target + ": ";
  const std::string file = shell_word(image.path.string());
  if (image.format == "qcow2" && image.compat == "0.10") {
    findings.note(
        name,
        where +
            "version 2 of qcow2 has no dirty bitmaps: it is read "
            "whole every time",
        (active ? "virsh shutdown --mode acpi " + shell_word(name) + "; "
                : "") +
            "qemu-img amend -f qcow2 -o compat=1.1 " + file);
  } else if (!image.format.empty() && image.format != "qcow2") {
    findings.note(name,
                  where + image.format +
                      " has no dirty bitmaps: it is read whole every time",
                  "");
  }
  if (active) return;  // QEMU has its bitmaps in memory: "in use" is right
  for (const ImageBitmap& bitmap : image.bitmaps) {
    if (!bitmap.in_use) continue;
    findings.note(name,
                  where + "the bitmap " + bitmap.name +
                      " was broken when QEMU was killed, and is of no use",
                  "qemu-img bitmap --remove -f qcow2 " + file + " " +
                      shell_word(bitmap.name));
  }
}

// A job that nobody reads holds up everyone else's.
void check_job(Guest& guest, Findings& findings) {
  virDomainJobInfo info{};
  if (virDomainGetJobInfo(guest.get(), &info) != 0 ||
      info.type == VIR_DOMAIN_JOB_NONE) {
    return;
  }
  try {
    take_text(virDomainBackupGetXMLDesc(guest.get(), 0), "look for a backup");
  } catch (const Error&) {
    return;  // another kind of job
  }
  findings.note(guest.name(),
                guest.name() +
                    " has a backup job under way; if no program "
                    "is at it, it was left behind",
                "virsh domjobabort " + shell_word(guest.name()));
}

void check_machine(Connection& connection, const std::string& name,
                   Findings& findings) {
  Guest guest(connection, name);
  const bool active = guest.active();
  const DomainXml xml = parse_domain_xml(guest.xml());
  if (active) check_job(guest, findings);
  const auto host = host_of(connection.uri());
  std::vector<DomainDisk> disks;
  for (const DomainDisk& disk : xml.disks) {
    if (disk.device == "disk" && disk.has_source) disks.push_back(disk);
  }
  resolve_volumes(connection, disks);
  for (const DomainDisk& disk : disks)
    check_image(name, active, disk, look_at_image(*host, disk), findings);
  if (!xml.has_agent) {
    findings.note(name,
                  name +
                      " has no channel for the guest agent: its points are "
                      "as after a power cut",
                  "virsh attach-device --config " + shell_word(name) +
                      " /dev/stdin <<<\"<channel type='unix'><target "
                      "type='virtio' name='org.qemu.guest_agent.0'/>"
                      "</channel>\"");
  }
}

}  // namespace

void check_hypervisor(const std::string& uri, Findings& findings) {
  std::optional<Connection> connection;
  try {
    connection.emplace(uri);
  } catch (const Error& error) {
    const bool here = uri == "qemu:///system";
    findings.problem(kCheck, error.what(),
                     !here            ? ""
                     : runs_systemd() ? "systemctl enable --now libvirtd"
                                      : "virtlogd --daemon; libvirtd --daemon");
    return;
  }
  check_version(*connection, findings);
  check_kvm(*connection, findings);
  for (const std::string& name : connection->domain_names()) {
    try {
      check_machine(*connection, name, findings);
    } catch (const Error& error) {
      findings.problem(name, name + ": " + error.what(), "");
    }
  }
}

}  // namespace backstitch::engine
