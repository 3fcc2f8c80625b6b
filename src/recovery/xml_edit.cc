#include "src/recovery/xml_edit.h"

#include <sstream>

#include "format/base/error.h"

namespace backstitch::engine {

pugi::xml_node load_domain(pugi::xml_document& document,
                           const std::string& xml) {
  const auto result = document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node domain = document.child("domain");
  if (!result || !domain) {
    throw Error(ErrorKind::kFailed,
                "the point's domain.xml is no description of a domain");
  }
  return domain;
}

std::string save_text(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text, "  ");
  return text.str();
}

pugi::xml_node child_of(pugi::xml_node parent, const char* name) {
  const pugi::xml_node known = parent.child(name);
  return known ? known : parent.append_child(name);
}

void set_attribute(pugi::xml_node node, const char* name,
                   const std::string& value) {
  pugi::xml_attribute attribute = node.attribute(name);
  if (!attribute) attribute = node.append_attribute(name);
  attribute = value.c_str();
}

void remove_all(pugi::xml_node parent, const char* name) {
  while (parent.remove_child(name)) continue;
}

void place_disk(pugi::xml_node disk, const std::string& path,
                const std::string& format) {
  set_attribute(disk, "type", "file");
  set_attribute(child_of(disk, "driver"), "name", "qemu");
  set_attribute(disk.child("driver"), "type", format);
  for (const char* stale : {"source", "backingStore", "mirror", "auth"})
    remove_all(disk, stale);
  disk.append_child("source").append_attribute("file") = path.c_str();
}

void place_disk_on_device(pugi::xml_node disk, const std::string& device,
                          const std::string& format) {
  place_disk(disk, device, format);
  set_attribute(disk, "type", "block");
  pugi::xml_node source = disk.child("source");
  source.remove_attribute("file");
  source.append_attribute("dev") = device.c_str();
}

void set_file(pugi::xml_node os, const std::string& name,
              const std::string& path) {
  pugi::xml_node node = child_of(os, name.c_str());
  remove_all(node, "source");
  // Firmware has one type for the flash and another one for where it is.
  if (name == "nvram") node.remove_attribute("type");
  // libvirt does not choose one any more.
  if (name == "loader") {
    os.remove_attribute("firmware");
    remove_all(os, "firmware");
  }
  node.text() = path.c_str();
}

void set_emulated(pugi::xml_node domain) {
  set_attribute(domain, "type", "qemu");
  const std::string mode = domain.child("cpu").attribute("mode").as_string();
  if (mode == "host-passthrough" || mode == "host-model" || mode == "maximum")
    domain.remove_child("cpu");
}

}  // namespace backstitch::engine
