#include "src/recovery/machine_files.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <pugixml.hpp>
#include <sstream>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/libvirt/domain_xml.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kTpmPrefix[] = "tpm.";
constexpr char kTpmDirectory[] = "/var/lib/libvirt/swtpm";

const char* bus_of(const std::string& disk) {
  if (disk.starts_with("sd")) return "sata";
  if (disk.starts_with("hd")) return "ide";
  return "virtio";
}

bool has_file(const format::Point& point, const std::string& name) {
  const auto& files = point.manifest().files;
  return std::ranges::find(files, name, &format::SideFile::name) != files.end();
}

// One file of the point, to a place that is noted before it is taken.
std::string put(const format::Point& point, const std::string& name,
                const fs::path& path, Session& session) {
  session.files.push_back(path);
  save_session(session);
  remove_tree(path);
  write_new_file(path, point.side_file(name), 0644);
  return path;
}

void put_tpm(const format::Point& point, Session& session) {
  const fs::path home = fs::path(kTpmDirectory) / session.uuid;
  for (const format::SideFile& file : point.manifest().files) {
    if (!file.name.starts_with(kTpmPrefix)) continue;
    const std::string name = file.name.substr(sizeof kTpmPrefix - 1);
    // swtpm's directories: tpm2/ for version 2, tpm1.2/ before.
    const fs::path folder =
        home / (name.starts_with("tpm2") ? "tpm2" : "tpm1.2");
    if (std::ranges::find(session.files, home.string()) ==
        session.files.end()) {
      session.files.push_back(home);
      save_session(session);
    }
    fs::create_directories(folder);
    write_new_file(folder / name, point.side_file(file.name));
  }
}

}  // namespace

std::string domain_description(const format::Point& point) {
  if (has_file(point, "domain.xml")) return point.side_file("domain.xml");
  pugi::xml_document document;
  document.load_string(R"(<domain type="kvm">
    <memory unit="GiB">2</memory><vcpu>2</vcpu>
    <os><type>hvm</type><boot dev="hd"/></os>
    <features><acpi/><apic/></features>
    <devices><serial type="pty"/><graphics type="vnc" port="-1"/>
      <video/></devices></domain>)");
  pugi::xml_node devices = document.child("domain").child("devices");
  for (const format::DiskManifest& disk : point.manifest().disks) {
    pugi::xml_node node = devices.append_child("disk");
    node.append_attribute("type") = "file";
    node.append_attribute("device") = "disk";
    pugi::xml_node target = node.append_child("target");
    target.append_attribute("dev") = disk.name.c_str();
    target.append_attribute("bus") = bus_of(disk.name);
  }
  std::ostringstream text;
  document.save(text);
  return text.str();
}

std::map<std::string, std::string> write_machine_files(
    const format::Point& point, const std::string& xml, Session& session,
    std::vector<std::string>& notes) {
  const DomainXml domain = parse_domain_xml(xml);
  const std::string stem = (fs::path(session.storage) / session.name).string();
  std::map<std::string, std::string> places;
  // The guest writes to it: it must be its own.
  if (has_file(point, "nvram.fd"))
    places["nvram"] = put(point, "nvram.fd", stem + "_VARS.fd", session);
  struct Part {
    const char* element;
    const char* file;
    const std::string& path;
    const char* suffix;
  };
  for (const Part& part :
       {Part{"loader", "loader.fd", domain.loader, "_CODE.fd"},
        Part{"kernel", "kernel", domain.kernel, "-kernel"},
        Part{"initrd", "initrd", domain.initrd, "-initrd"}}) {
    if (part.path.empty() || fs::exists(part.path)) continue;
    if (has_file(point, part.file)) {
      places[part.element] = put(point, part.file, stem + part.suffix, session);
    } else {
      notes.push_back(part.path + " is not here, and not in the point");
    }
  }
  if (domain.has_tpm) put_tpm(point, session);
  return places;
}

bool has_kvm(Connection& connection) {
  char* text = virConnectGetDomainCapabilities(connection.get(), nullptr,
                                               nullptr, nullptr, "kvm", 0);
  if (text == nullptr) return false;
  take_text(text, "");
  return true;
}

void give_to_hypervisor(Connection& connection, const fs::path& path) {
  if (::geteuid() != 0) return;
  const std::string text =
      take_text(virConnectGetCapabilities(connection.get()),
                "learn what the hypervisor can do");
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  const pugi::xml_node host = document.child("capabilities").child("host");
  for (const pugi::xml_node model : host.children("secmodel")) {
    if (std::string(model.child_value("model")) != "dac") continue;
    unsigned user = 0;
    unsigned group = 0;
    if (std::sscanf(model.child_value("baselabel"), "+%u:+%u", &user, &group) !=
        2) {
      continue;
    }
    if (::chown(path.c_str(), user, group) != 0)
      throw system_error(errno, "give " + path.string() + " to QEMU's user");
    return;
  }
}

}  // namespace backstitch::engine
