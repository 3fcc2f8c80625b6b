#include "src/recovery/boot_xml.h"

#include <unistd.h>

#include <algorithm>

#include "src/recovery/xml_edit.h"

namespace backstitch::engine {
namespace {

void adapt_disks(pugi::xml_node devices, const BootMachine& machine,
                 std::vector<std::string>& notes) {
  std::vector<pugi::xml_node> gone;
  for (pugi::xml_node disk : devices.children("disk")) {
    const std::string target =
        disk.child("target").attribute("dev").as_string();
    const std::string device = disk.attribute("device").as_string("disk");
    const auto known = machine.disks.find(target);
    if (known != machine.disks.end()) {
      place_disk(disk, known->second.path, known->second.format);
    } else if (device == "cdrom" || device == "floppy") {
      if (disk.child("source"))
        notes.push_back(target + ": the " + device + " is empty now");
      remove_all(disk, "source");
      remove_all(disk, "backingStore");
      set_attribute(disk, "type", "file");
    } else {
      notes.push_back(target + ": left out, the point does not have it");
      gone.push_back(disk);
    }
  }
  for (const pugi::xml_node disk : gone) devices.remove_child(disk);
}

// What belongs to the old host.
void remove_host_devices(pugi::xml_node devices,
                         std::vector<std::string>& notes) {
  for (const char* kind :
       {"hostdev", "redirdev", "filesystem", "shmem", "vsock", "smartcard"}) {
    const auto range = devices.children(kind);
    const auto count = std::distance(range.begin(), range.end());
    if (count == 0) continue;
    notes.push_back(std::to_string(count) + " " + kind + " left out");
    remove_all(devices, kind);
  }
}

// Sockets and files that other programs made are not there; a terminal always
// is. The channel of the guest's agent is libvirt's to make.
void adapt_consoles(pugi::xml_node devices) {
  for (const char* kind : {"serial", "console", "parallel"}) {
    for (pugi::xml_node port : devices.children(kind)) {
      const std::string type = port.attribute("type").as_string();
      if (type == "pty") continue;
      set_attribute(port, "type", "pty");
      remove_all(port, "source");
      remove_all(port, "protocol");
      remove_all(port, "log");
    }
  }
  for (pugi::xml_node channel : devices.children("channel"))
    remove_all(channel, "source");
  for (pugi::xml_node graphics : devices.children("graphics")) {
    if (!graphics.attribute("port")) continue;
    graphics.remove_attribute("port");
    set_attribute(graphics, "autoport", "yes");
  }
}

void adapt_network(pugi::xml_node devices, BootNetwork network) {
  if (network == BootNetwork::kAsBackedUp) return;
  if (network == BootNetwork::kNone) {
    remove_all(devices, "interface");
    return;
  }
  for (pugi::xml_node card : devices.children("interface")) {
    set_attribute(card, "type", "user");
    for (const char* stale : {"mac", "source", "target", "virtualport", "link",
                              "filterref", "vlan", "backend", "bandwidth"})
      remove_all(card, stale);
    card.append_child("link").append_attribute("state") = "down";
  }
}

void adapt_firmware(pugi::xml_node os, const BootMachine& machine) {
  for (const auto& [name, path] : machine.files) {
    // Where libvirt chooses the firmware, nobody has named the variables.
    if (name == "nvram" || os.child(name.c_str())) set_file(os, name, path);
  }
}

void set_resources(pugi::xml_node domain, const BootMachine& machine) {
  if (machine.memory_bytes != 0) {
    for (const char* name : {"memory", "currentMemory"}) {
      pugi::xml_node node = child_of(domain, name);
      set_attribute(node, "unit", "b");
      node.text() = static_cast<unsigned long long>(machine.memory_bytes);
    }
    remove_all(domain, "maxMemory");
    remove_all(domain, "numatune");
  }
  if (machine.cpus != 0) {
    pugi::xml_node node = child_of(domain, "vcpu");
    node.remove_attribute("current");
    node.text() = machine.cpus;
    remove_all(domain, "vcpus");
    remove_all(domain, "cputune");
    domain.child("cpu").remove_child("topology");
    domain.child("cpu").remove_child("numa");
  }
}

void add_backing(pugi::xml_node disk, const std::string& path,
                 const std::string& format, bool relabel) {
  pugi::xml_node below = disk.append_child("backingStore");
  below.append_attribute("type") = "file";
  below.append_child("format").append_attribute("type") = format.c_str();
  pugi::xml_node source = below.append_child("source");
  source.append_attribute("file") = path.c_str();
  if (!relabel) {
    for (const char* model : {"dac", "selinux"}) {
      pugi::xml_node label = source.append_child("seclabel");
      label.append_attribute("model") = model;
      label.append_attribute("relabel") = "no";
    }
  }
  below.append_child("backingStore");
}

}  // namespace

std::string adapt_description(const std::string& xml,
                              const BootMachine& machine,
                              std::vector<std::string>& notes) {
  pugi::xml_document document;
  pugi::xml_node domain = load_domain(document, xml);
  child_of(domain, "name").text() = machine.name.c_str();
  child_of(domain, "uuid").text() = machine.uuid.c_str();
  domain.remove_attribute("id");
  // Labels are made anew for the new files.
  for (const char* stale : {"seclabel", "genid", "resource"})
    remove_all(domain, stale);
  pugi::xml_node devices = child_of(domain, "devices");
  const std::string emulator = devices.child_value("emulator");
  if (!emulator.empty() && ::access(emulator.c_str(), X_OK) != 0) {
    notes.push_back(emulator + " is not here: libvirt's own choice instead");
    devices.remove_child("emulator");
  }
  adapt_disks(devices, machine, notes);
  remove_host_devices(devices, notes);
  adapt_consoles(devices);
  adapt_network(devices, machine.network);
  adapt_firmware(domain.child("os"), machine);
  set_resources(domain, machine);
  if (machine.emulate) set_emulated(domain);
  return save_text(document);
}

std::string description_now(const Session& session) {
  pugi::xml_document document;
  pugi::xml_node domain = load_domain(document, session.xml);
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    const std::string target =
        disk.child("target").attribute("dev").as_string();
    const auto known =
        std::ranges::find(session.disks, target, &SessionDisk::name);
    if (known == session.disks.end()) continue;
    if (known->place == DiskPlace::kFinal) continue;
    const bool bridge = known->place == DiskPlace::kBridge;
    place_disk(disk, bridge ? known->bridge : known->overlay, "qcow2");
    if (bridge) {
      add_backing(disk, known->target, known->format, true);
    } else {
      add_backing(disk, known->image, "raw", false);
    }
  }
  return save_text(document);
}

std::string with_disk_at(const std::string& xml, const std::string& target,
                         const std::string& path, const std::string& format) {
  pugi::xml_document document;
  pugi::xml_node domain = load_domain(document, xml);
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    if (disk.child("target").attribute("dev").as_string() == target)
      place_disk(disk, path, format);
  }
  return save_text(document);
}

std::string emulated(const std::string& xml) {
  pugi::xml_document document;
  set_emulated(load_domain(document, xml));
  return save_text(document);
}

}  // namespace backstitch::engine
