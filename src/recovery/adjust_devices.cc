#include "src/recovery/adjust_devices.h"

#include <filesystem>

#include "src/recovery/define_files.h"
#include "src/recovery/xml_edit.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using NetworkHandle = LibvirtHandle<virNetwork, virNetworkFree>;

std::string text_of(pugi::xml_node node, const char* name) {
  return node.attribute(name).as_string();
}

class Devices {
 public:
  Devices(pugi::xml_node devices, Connection& connection, const Host& host,
          std::vector<std::string>& notes)
      : devices_(devices),
        connection_(connection),
        host_(host),
        notes_(notes) {}

  void run() {
    for (pugi::xml_node card : devices_.children("interface"))
      adjust_card(card);
    leave_out("hostdev", [this](pugi::xml_node device) {
      return is_there(device) ? "" : "a device passed through";
    });
    leave_out("interface", [this](pugi::xml_node card) {
      if (text_of(card, "type") != "hostdev" || is_there(card)) return "";
      return "a network card passed through";
    });
    leave_out("filesystem", [this](pugi::xml_node shared) {
      const std::string directory = text_of(shared.child("source"), "dir");
      return directory.empty() || there_at(host_, directory)
                 ? ""
                 : "the directory " + directory + ", which is not there";
    });
    for (const char* kind : {"serial", "console", "parallel", "channel"}) {
      for (pugi::xml_node port : devices_.children(kind)) adjust_port(port);
    }
    for (pugi::xml_node random : devices_.children("rng"))
      adjust_random(random.child("backend"));
  }

 private:
  // `why` gives what a device is that must go, in words; empty: it stays.
  template <typename Why>
  void leave_out(const char* kind, Why why) {
    std::vector<pugi::xml_node> gone;
    for (const pugi::xml_node device : devices_.children(kind)) {
      const std::string words = why(device);
      if (words.empty()) continue;
      notes_.push_back("left out: " + words);
      gone.push_back(device);
    }
    for (const pugi::xml_node device : gone) devices_.remove_child(device);
  }

  // PCI devices can be looked for; which USB stick is meant, nobody knows.
  bool is_there(pugi::xml_node device) const {
    const pugi::xml_node address = device.child("source").child("address");
    if (!address.attribute("bus") || !address.attribute("slot")) return false;
    char path[64];
    std::snprintf(path, sizeof path, "/sys/bus/pci/devices/%04x:%02x:%02x.%x",
                  address.attribute("domain").as_uint(),
                  address.attribute("bus").as_uint(),
                  address.attribute("slot").as_uint(),
                  address.attribute("function").as_uint());
    return there_at(host_, path);
  }

  void adjust_card(pugi::xml_node card) {
    const std::string type = text_of(card, "type");
    const pugi::xml_node source = card.child("source");
    std::string missing;
    if (type == "network") {
      const std::string name = text_of(source, "network");
      const NetworkHandle network(
          virNetworkLookupByName(connection_.get(), name.c_str()));
      if (!network) missing = "network " + name;
    } else if (type == "bridge" || type == "direct") {
      const std::string name =
          text_of(source, type == "bridge" ? "bridge" : "dev");
      if (!there_at(host_, "/sys/class/net/" + name))
        missing = (type == "bridge" ? "bridge " : "interface ") + name;
    }
    if (missing.empty()) return;
    notes_.push_back("a network card without a cable: there is no " + missing);
    set_attribute(card, "type", "user");
    for (const char* stale : {"source", "target", "virtualport", "link",
                              "filterref", "vlan", "backend", "bandwidth"})
      remove_all(card, stale);
    card.append_child("link").append_attribute("state") = "down";
  }

  void adjust_port(pugi::xml_node port) {
    const std::string type = text_of(port, "type");
    const std::string path = text_of(port.child("source"), "path");
    if (path.empty() || type == "pty") return;
    const bool makes = type == "file" || type == "unix";
    const std::string needed =
        makes ? fs::path(path).parent_path().string() : path;
    if (there_at(host_, needed)) return;
    notes_.push_back(std::string(port.name()) + ": a terminal, " + needed +
                     " is not there");
    remove_all(port, "source");
    remove_all(port, "log");
    remove_all(port, "protocol");
    // A channel's place is libvirt's to choose.
    if (std::string(port.name()) != "channel" || type == "dev")
      set_attribute(port, "type", "pty");
  }

  void adjust_random(pugi::xml_node backend) {
    const std::string path = backend.text().as_string();
    if (text_of(backend, "model") != "random" || path.empty() ||
        there_at(host_, path)) {
      return;
    }
    notes_.push_back("random numbers of /dev/urandom: there is no " + path);
    backend.text() = "/dev/urandom";
  }

  pugi::xml_node devices_;
  Connection& connection_;
  const Host& host_;
  std::vector<std::string>& notes_;
};

}  // namespace

void adjust_devices(pugi::xml_node devices, Connection& connection,
                    const Host& host, std::vector<std::string>& notes) {
  Devices(devices, connection, host, notes).run();
}

}  // namespace backstitch::engine
