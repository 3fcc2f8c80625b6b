#include "src/recovery/trial_xml.h"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

namespace backstitch::engine {
namespace {

void set(pugi::xml_node node, const char* name, const std::string& value) {
  pugi::xml_attribute attribute = node.attribute(name);
  if (!attribute) attribute = node.append_attribute(name);
  attribute = value.c_str();
}

void set_child(pugi::xml_node parent, const char* name, const char* value) {
  pugi::xml_node node = parent.child(name);
  if (!node) node = parent.append_child(name);
  node.text() = value;
}

// The first console element only repeats the first serial one, unless it says
// that it is something else.
bool has_own_output(pugi::xml_node port) {
  if (std::string(port.name()) == "serial") return true;
  const std::string type =
      port.child("target").attribute("type").as_string("serial");
  return type != "serial";
}

void log_consoles(pugi::xml_node devices,
                  const std::filesystem::path& directory) {
  if (!devices.child("serial"))
    devices.append_child("serial").append_attribute("type") = "pty";
  for (const char* kind : {"serial", "console"}) {
    size_t number = 0;
    for (pugi::xml_node port : devices.children(kind)) {
      const std::string name = kind + std::to_string(number++);
      while (port.remove_child("log")) continue;
      if (!has_own_output(port)) continue;
      pugi::xml_node log = port.append_child("log");
      log.append_attribute("file") = (directory / (name + ".log")).c_str();
      log.append_attribute("append") = "off";
    }
  }
}

// Its disks are thrown away: flushing them would only take time.
void hurry_disks(pugi::xml_node devices) {
  for (pugi::xml_node disk : devices.children("disk")) {
    if (std::string(disk.attribute("device").as_string("disk")) != "disk")
      continue;
    pugi::xml_node driver = disk.child("driver");
    set(driver, "cache", "unsafe");
    driver.remove_attribute("io");
  }
}

// libvirt can still take a screenshot.
void hide_screen(pugi::xml_node devices) {
  std::vector<pugi::xml_node> gone;
  for (pugi::xml_node graphics : devices.children("graphics")) {
    const std::string type = graphics.attribute("type").as_string();
    if (type != "vnc" && type != "spice") {
      gone.push_back(graphics);
      continue;
    }
    for (const char* stale : {"port", "tlsPort", "autoport", "listen",
                              "websocket", "socket", "passwd"})
      graphics.remove_attribute(stale);
    while (graphics.remove_child("listen")) continue;
    graphics.append_child("listen").append_attribute("type") = "none";
  }
  for (const pugi::xml_node graphics : gone) devices.remove_child(graphics);
}

}  // namespace

std::string trial_description(const std::string& xml,
                              const std::filesystem::path& directory) {
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size());
  pugi::xml_node domain = document.child("domain");
  pugi::xml_node devices = domain.child("devices");
  log_consoles(devices, directory);
  hurry_disks(devices);
  hide_screen(devices);
  // A guest that has crashed, where it can say so, stays to be looked at.
  set_child(domain, "on_crash", "preserve");
  std::ostringstream text;
  document.save(text, "  ");
  return text.str();
}

std::vector<ConsoleFile> console_files(const std::string& xml) {
  pugi::xml_document document;
  document.load_buffer(xml.data(), xml.size());
  std::vector<ConsoleFile> files;
  for (const pugi::xml_node port :
       document.child("domain").child("devices").children()) {
    const std::filesystem::path path =
        port.child("log").attribute("file").as_string();
    if (!path.empty()) files.push_back({path.stem(), path});
  }
  return files;
}

}  // namespace backstitch::engine
