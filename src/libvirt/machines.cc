#include "src/libvirt/machines.h"

#include <libvirt/virterror.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
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

std::string text_of(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text);
  return text.str();
}

// What libvirt would look for on its host, and which may come later.
std::string without_host(const pugi::xml_node& domain) {
  pugi::xml_document document;
  pugi::xml_node copy = document.append_copy(domain);
  copy.remove_child("cpu");
  pugi::xml_node devices = copy.child("devices");
  while (devices.remove_child("hostdev")) continue;
  std::vector<pugi::xml_node> gone;
  for (const pugi::xml_node card : devices.children("interface")) {
    if (std::string(card.attribute("type").as_string()) == "hostdev")
      gone.push_back(card);
  }
  for (const pugi::xml_node card : gone) devices.remove_child(card);
  return text_of(document);
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

std::string check_description(Connection& connection, const std::string& xml) {
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size());
  pugi::xml_node domain = document.child("domain");
  char* native = virConnectDomainXMLToNative(connection.get(), "qemu-argv",
                                             without_host(domain).c_str(), 0);
  if (native != nullptr) {
    take_text(native, "");
    return {};
  }
  const virErrorPtr last = virGetLastError();
  const std::string words = last == nullptr ? "" : last->message;
  const std::string name = domain.child_value("name");
  // The words may be about the start only: that is known by trying.
  domain.child("name").text() =
      ("backstitch-trial-" + std::to_string(::getpid())).c_str();
  domain.remove_child("uuid");
  const DomainHandle trial(
      virDomainDefineXML(connection.get(), text_of(document).c_str()));
  if (!trial) throw libvirt_failure("define " + name);
  if (virDomainUndefineFlags(trial.get(), VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) != 0)
    throw libvirt_failure("end a trial of the definition");
  return words;
}

}  // namespace backstitch::engine
