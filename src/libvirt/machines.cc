#include "src/libvirt/machines.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <array>
#include <pugixml.hpp>
#include <sstream>

namespace backstitch::engine {
namespace {

std::string small(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

// Whatever the element: a disk's source, NVRAM, a shared directory.
void collect_paths(const pugi::xml_node& node,
                   std::vector<std::string>& paths) {
  for (const pugi::xml_node child : node.children()) {
    const std::string name = child.name();
    if (name == "source" || name == "dataStore") {
      for (const char* key : {"file", "dev", "dir"}) {
        const std::string path = child.attribute(key).as_string();
        if (path.starts_with('/')) paths.push_back(path);
      }
    }
    if (name == "nvram") paths.emplace_back(child.text().as_string());
    collect_paths(child, paths);
  }
}

std::vector<std::string> macs_of(const pugi::xml_node& domain) {
  std::vector<std::string> macs;
  for (const pugi::xml_node card :
       domain.child("devices").children("interface")) {
    const std::string mac =
        small(card.child("mac").attribute("address").as_string());
    if (!mac.empty()) macs.push_back(mac);
  }
  return macs;
}

KnownMachine describe(virDomainPtr domain, const std::string& xml) {
  KnownMachine machine;
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node root = document.child("domain");
  machine.name = virDomainGetName(domain);
  machine.uuid = root.child_value("uuid");
  machine.active = virDomainIsActive(domain) == 1;
  machine.macs = macs_of(root);
  collect_paths(root, machine.paths);
  return machine;
}

}  // namespace

std::vector<KnownMachine> known_machines(Connection& connection) {
  std::vector<KnownMachine> machines;
  for (const std::string& name : connection.domain_names()) {
    const DomainHandle domain(
        virDomainLookupByName(connection.get(), name.c_str()));
    if (!domain) continue;
    char* text = virDomainGetXMLDesc(domain.get(), 0);
    if (text == nullptr) continue;
    machines.push_back(describe(domain.get(), take_text(text, "")));
  }
  return machines;
}

std::vector<std::string> mac_addresses(const std::string& xml) {
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size());
  return macs_of(document.child("domain"));
}

void check_description(Connection& connection, const std::string& xml) {
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size());
  pugi::xml_node domain = document.child("domain");
  // What only a machine that starts needs is no reason not to define it.
  domain.remove_child("cpu");
  while (domain.child("devices").remove_child("hostdev")) continue;
  std::ostringstream text;
  document.save(text);
  char* native = virConnectDomainXMLToNative(connection.get(), "qemu-argv",
                                             text.str().c_str(), 0);
  if (native != nullptr) {
    take_text(native, "");
    return;
  }
  const Error error = libvirt_failure(
      "define " + std::string(domain.child_value("name")) + " there");
  const virErrorPtr last = virGetLastError();
  if (last != nullptr && last->code == VIR_ERR_NO_SUPPORT) return;
  throw Error(error);
}

}  // namespace backstitch::engine
