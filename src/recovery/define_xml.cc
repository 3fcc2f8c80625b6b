#include "src/recovery/define_xml.h"

#include <filesystem>
#include <utility>

#include "src/recovery/session.h"
#include "src/recovery/xml_edit.h"

namespace backstitch::engine {
namespace {

std::string text_of(pugi::xml_node node, const char* name) {
  return node.attribute(name).as_string();
}

std::string path_of(pugi::xml_node disk) {
  const pugi::xml_node source = disk.child("source");
  const std::string file = text_of(source, "file");
  return file.empty() ? text_of(source, "dev") : file;
}

class Disks {
 public:
  Disks(pugi::xml_node devices, const RestoredMachine& machine,
        const std::function<bool(const std::string&)>& there,
        std::vector<std::string>& notes)
      : devices_(devices), machine_(machine), there_(there), notes_(notes) {}

  void change() {
    std::vector<pugi::xml_node> gone;
    for (pugi::xml_node disk : devices_.children("disk")) {
      const std::string target = text_of(disk.child("target"), "dev");
      const std::string kind = disk.attribute("device").as_string("disk");
      const auto placed = machine_.disks.find(target);
      if (placed != machine_.disks.end()) {
        place(disk, target, placed->second);
      } else if (kind == "cdrom" || kind == "floppy") {
        change_medium(disk, target);
      } else if (!stays(disk, target)) {
        gone.push_back(disk);
      }
    }
    for (const pugi::xml_node disk : gone) devices_.remove_child(disk);
  }

 private:
  void place(pugi::xml_node disk, const std::string& target,
             const RestoredMachine::Place& place) {
    if (disk.child("encryption") || disk.child("source").child("encryption")) {
      notes_.push_back(target + ": its image is not encrypted any more");
      remove_all(disk, "encryption");
    }
    if (place.device) {
      place_disk_on_device(disk, place.path, place.format);
    } else {
      place_disk(disk, place.path, place.format);
    }
  }

  void change_medium(pugi::xml_node disk, const std::string& target) {
    const auto known = machine_.media.find(target);
    if (known != machine_.media.end()) {
      set_attribute(disk, "type", "file");
      remove_all(disk, "source");
      disk.append_child("source").append_attribute("file") =
          known->second.c_str();
      return;
    }
    const std::string path = path_of(disk);
    if (path.empty() || there_(path)) return;
    if (!machine_.adjust) {
      notes_.push_back(target + ": its medium " + path + " is not there");
      return;
    }
    notes_.push_back(target + ": empty, its medium " + path + " is not there");
    remove_all(disk, "source");
    set_attribute(disk, "type", "file");
  }

  // A disk that was not restored.
  bool stays(pugi::xml_node disk, const std::string& target) {
    const std::string path = path_of(disk);
    if (machine_.twin && !disk.child("readonly") && !disk.child("shareable")) {
      notes_.push_back(target + ": left out, it is the original's");
      return false;
    }
    if (path.empty() || there_(path)) {
      notes_.push_back(target + ": not restored, it stays what it was" +
                       (path.empty() ? "" : ", " + path));
      return true;
    }
    notes_.push_back(
        target + (machine_.adjust ? ": left out, " : ": not restored, and ") +
        path + " is not there" +
        (machine_.adjust ? "" : ": --adjust would leave it out"));
    return !machine_.adjust;
  }

  pugi::xml_node devices_;
  const RestoredMachine& machine_;
  const std::function<bool(const std::string&)>& there_;
  std::vector<std::string>& notes_;
};

// A file or socket that only one machine at a time can write to gets another
// name beside the first.
void set_port_apart(pugi::xml_node port, const std::string& name,
                    std::vector<std::string>& notes) {
  const std::string type = text_of(port, "type");
  for (const auto& [element, key] :
       {std::pair{"source", "path"}, {"log", "file"}}) {
    pugi::xml_node node = port.child(element);
    const std::filesystem::path before = text_of(node, key);
    if (before.empty() || type == "pty") continue;
    if (type != "file" && type != "unix") {
      notes.push_back(std::string(port.name()) + ": " + before.string() +
                      " is its original's, too");
      continue;
    }
    const auto now =
        before.parent_path() / (name + "-" + before.filename().string());
    set_attribute(node, key, now.string());
    // The first console only repeats the first serial port.
    if (std::string(port.name()) != "console")
      notes.push_back(std::string(port.name()) + ": at " + now.string());
  }
}

// What two machines cannot both have while they run.
void set_apart(pugi::xml_node devices, std::vector<std::string>& notes,
               const std::string& name) {
  for (pugi::xml_node card : devices.children("interface")) {
    remove_all(card, "mac");
    remove_all(card, "target");
  }
  for (pugi::xml_node channel : devices.children("channel")) {
    if (text_of(channel, "type") == "unix") remove_all(channel, "source");
  }
  for (pugi::xml_node graphics : devices.children("graphics")) {
    if (text_of(graphics, "autoport") == "yes" || !graphics.attribute("port"))
      continue;
    for (const char* port : {"port", "tlsPort", "websocket"})
      graphics.remove_attribute(port);
    set_attribute(graphics, "autoport", "yes");
    notes.push_back(text_of(graphics, "type") + ": at any port that is free");
  }
  for (const char* kind : {"serial", "console", "parallel"}) {
    for (const pugi::xml_node port : devices.children(kind))
      set_port_apart(port, name, notes);
  }
}

void set_uuid(pugi::xml_node domain, const std::string& uuid) {
  child_of(domain, "uuid").text() = uuid.c_str();
  for (pugi::xml_node entry :
       domain.child("sysinfo").child("system").children("entry")) {
    if (text_of(entry, "name") == "uuid") entry.text() = uuid.c_str();
  }
}

}  // namespace

std::string restored_description(
    const std::string& xml, const RestoredMachine& machine,
    const std::function<bool(const std::string&)>& there,
    std::vector<std::string>& notes) {
  pugi::xml_document document;
  pugi::xml_node domain = load_domain(document, xml);
  domain.remove_attribute("id");
  child_of(domain, "name").text() = machine.name.c_str();
  set_uuid(domain, machine.uuid);
  if (domain.child("genid")) domain.child("genid").text() = new_uuid().c_str();
  pugi::xml_node devices = child_of(domain, "devices");
  Disks(devices, machine, there, notes).change();
  for (const auto& [name, path] : machine.files)
    set_file(child_of(domain, "os"), name, path);
  if (machine.twin) set_apart(devices, notes, machine.name);
  return save_text(document);
}

}  // namespace backstitch::engine
