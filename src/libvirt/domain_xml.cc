#include "src/libvirt/domain_xml.h"

#include <pugixml.hpp>
#include <string_view>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

constexpr char kAgentChannel[] = "org.qemu.guest_agent.0";

std::string attribute(const pugi::xml_node& node, const char* name) {
  return node.attribute(name).as_string();
}

// <source> has its path in an attribute that is called after its type.
std::string source_path(const pugi::xml_node& source) {
  const std::string file = attribute(source, "file");
  return file.empty() ? attribute(source, "dev") : file;
}

DomainDisk parse_disk(const pugi::xml_node& node) {
  DomainDisk disk;
  const pugi::xml_node source = node.child("source");
  disk.target = attribute(node.child("target"), "dev");
  disk.device = node.attribute("device").as_string("disk");
  disk.type = attribute(node, "type");
  disk.format = attribute(node.child("driver"), "type");
  disk.path = source_path(source);
  disk.pool = attribute(source, "pool");
  disk.volume = attribute(source, "volume");
  disk.has_source = static_cast<bool>(source.first_attribute());
  disk.readonly = static_cast<bool>(node.child("readonly"));
  disk.transient = static_cast<bool>(node.child("transient"));
  for (pugi::xml_node below = node.child("backingStore"); below;
       below = below.child("backingStore")) {
    const std::string path = source_path(below.child("source"));
    if (!path.empty()) disk.backing.push_back(path);
  }
  return disk;
}

bool has_agent(const pugi::xml_node& devices) {
  for (const pugi::xml_node channel : devices.children("channel")) {
    if (attribute(channel.child("target"), "name") == kAgentChannel)
      return true;
  }
  return false;
}

bool has_tpm(const pugi::xml_node& devices) {
  for (const pugi::xml_node tpm : devices.children("tpm")) {
    if (attribute(tpm.child("backend"), "type") == "emulator") return true;
  }
  return false;
}

}  // namespace

std::string chosen_nvram(const std::string& machine) {
  return "/var/lib/libvirt/qemu/nvram/" + machine + "_VARS.fd";
}

DomainXml parse_domain_xml(const std::string& text) {
  pugi::xml_document document;
  const auto result = document.load_buffer(text.data(), text.size());
  const pugi::xml_node domain = document.child("domain");
  if (!result || !domain) {
    throw Error(ErrorKind::kFailed,
                std::string("this is no description of a domain: ") +
                    result.description());
  }
  DomainXml parsed;
  parsed.name = domain.child_value("name");
  parsed.uuid = domain.child_value("uuid");
  const pugi::xml_node os = domain.child("os");
  parsed.chosen_efi = attribute(os, "firmware") == "efi";
  parsed.loader = os.child_value("loader");
  parsed.nvram = os.child_value("nvram");
  if (parsed.nvram.empty())
    parsed.nvram = source_path(os.child("nvram").child("source"));
  parsed.kernel = os.child_value("kernel");
  parsed.initrd = os.child_value("initrd");
  const pugi::xml_node devices = domain.child("devices");
  for (const pugi::xml_node disk : devices.children("disk"))
    parsed.disks.push_back(parse_disk(disk));
  parsed.has_agent = has_agent(devices);
  parsed.has_tpm = has_tpm(devices);
  for (const pugi::xml_node label : domain.children("seclabel")) {
    if (attribute(label, "model") == "dac")
      parsed.dac_label = label.child_value("label");
  }
  return parsed;
}

}  // namespace backstitch::engine
