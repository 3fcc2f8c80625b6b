#include "src/recovery/adjust.h"

#include <set>

#include "src/recovery/adjust_devices.h"
#include "src/recovery/xml_edit.h"

namespace backstitch::engine {
namespace {

class Adjust {
 public:
  Adjust(pugi::xml_node domain, Connection& connection,
         std::vector<std::string>& notes)
      : domain_(domain), connection_(connection), notes_(notes) {}

  void run() {
    adjust_kind();
    adjust_emulator();
    adjust_machine();
    adjust_labels();
    adjust_screens();
    adjust_tpm();
  }

 private:
  std::string attribute(pugi::xml_node node, const char* name) const {
    return node.attribute(name).as_string();
  }

  // What libvirt says of such a machine; empty when it says that there can be
  // none.
  std::string capabilities(const std::string& emulator,
                           const std::string& machine,
                           const std::string& kind) {
    const std::string architecture =
        attribute(domain_.child("os").child("type"), "arch");
    const auto word = [](const std::string& text) {
      return text.empty() ? nullptr : text.c_str();
    };
    char* text = virConnectGetDomainCapabilities(
        connection_.get(), word(emulator), word(architecture), word(machine),
        word(kind), 0);
    return text == nullptr ? "" : take_text(text, "");
  }
  std::string emulator() const {
    return domain_.child("devices").child_value("emulator");
  }
  std::string kind() const { return attribute(domain_, "type"); }
  std::string machine() const {
    return attribute(domain_.child("os").child("type"), "machine");
  }

  void adjust_kind() {
    if (kind() != "kvm" || !capabilities("", "", "kvm").empty()) return;
    notes_.emplace_back("there is no KVM: it is emulated");
    set_emulated(domain_);
  }

  void adjust_emulator() {
    const std::string path = emulator();
    if (path.empty() || !capabilities(path, "", kind()).empty()) return;
    notes_.push_back(path + " is not there: libvirt's own choice instead");
    domain_.child("devices").remove_child("emulator");
  }

  void adjust_machine() {
    const std::string before = machine();
    if (before.empty() || !capabilities(emulator(), before, kind()).empty())
      return;
    pugi::xml_node type = domain_.child("os").child("type");
    type.remove_attribute("machine");
    for (const char* family : {"q35", "virt"}) {
      if (before.find(family) != std::string::npos)
        set_attribute(type, "machine", family);
    }
    notes_.push_back("there is no machine type " + before + ": " +
                     (machine().empty() ? "libvirt's own choice" : machine()) +
                     " instead");
  }

  void adjust_labels() {
    const std::string text =
        take_text(virConnectGetCapabilities(connection_.get()),
                  "learn what the hypervisor can do");
    pugi::xml_document document;
    document.load_buffer(text.data(), text.size());
    std::set<std::string> models = {"none"};
    for (const pugi::xml_node model :
         document.child("capabilities").child("host").children("secmodel"))
      models.insert(model.child_value("model"));
    std::vector<pugi::xml_node> gone;
    for (const pugi::xml_node label : domain_.children("seclabel")) {
      const std::string model = attribute(label, "model");
      if (!model.empty() && !models.contains(model)) gone.push_back(label);
    }
    for (const pugi::xml_node label : gone) {
      notes_.push_back("left out: the label of " + attribute(label, "model"));
      domain_.remove_child(label);
    }
  }

  // The values that libvirt knows for an enumeration of a device; empty where
  // it does not say.
  std::set<std::string> known(const char* device, const char* name) {
    const std::string text = capabilities(emulator(), machine(), kind());
    pugi::xml_document document;
    document.load_buffer(text.data(), text.size());
    std::set<std::string> values;
    const pugi::xml_node node = document.child("domainCapabilities")
                                    .child("devices")
                                    .child(device)
                                    .find_child_by_attribute("name", name);
    for (const pugi::xml_node value : node.children("value"))
      values.insert(value.text().as_string());
    return values;
  }

  void adjust_screens() {
    const auto kinds = known("graphics", "type");
    const auto models = known("video", "modelType");
    pugi::xml_node devices = domain_.child("devices");
    for (pugi::xml_node screen : devices.children("graphics")) {
      if (kinds.empty() || attribute(screen, "type") != "spice" ||
          kinds.contains("spice")) {
        continue;
      }
      notes_.emplace_back("spice: vnc instead");
      drop_spice(devices);
      while (screen.first_child()) screen.remove_child(screen.first_child());
      for (const char* stale : {"tlsPort", "port", "defaultMode"})
        screen.remove_attribute(stale);
      set_attribute(screen, "type", "vnc");
      set_attribute(screen, "autoport", "yes");
    }
    for (pugi::xml_node video : devices.children("video")) {
      pugi::xml_node model = video.child("model");
      const std::string before = attribute(model, "type");
      if (models.empty() || before.empty() || models.contains(before)) continue;
      const char* now = models.contains("virtio") ? "virtio" : "vga";
      notes_.push_back("video: " + std::string(now) + ", it was " + before);
      video.remove_child(model);
      video.append_child("model").append_attribute("type") = now;
    }
  }

  // What speaks to a spice client only.
  static void drop_spice(pugi::xml_node devices) {
    std::vector<pugi::xml_node> gone;
    for (const pugi::xml_node device : devices.children()) {
      const std::string type = device.attribute("type").as_string();
      if (type == "spicevmc" || type == "spiceport" ||
          (type == "spice" && std::string(device.name()) == "audio")) {
        gone.push_back(device);
      }
    }
    for (const pugi::xml_node device : gone) devices.remove_child(device);
  }

  void adjust_tpm() {
    pugi::xml_node devices = domain_.child("devices");
    const auto backends = known("tpm", "backendModel");
    std::vector<pugi::xml_node> gone;
    for (const pugi::xml_node tpm : devices.children("tpm")) {
      const std::string type = attribute(tpm.child("backend"), "type");
      if (!backends.contains(type)) gone.push_back(tpm);
    }
    for (const pugi::xml_node tpm : gone) {
      notes_.emplace_back("left out: the TPM, which this host cannot have");
      devices.remove_child(tpm);
    }
  }

  pugi::xml_node domain_;
  Connection& connection_;
  std::vector<std::string>& notes_;
};

}  // namespace

std::string adjust_description(const std::string& xml, Connection& connection,
                               const Host& host,
                               std::vector<std::string>& notes) {
  pugi::xml_document document;
  pugi::xml_node domain = load_domain(document, xml);
  Adjust(domain, connection, notes).run();
  adjust_devices(domain.child("devices"), connection, host, notes);
  return save_text(document);
}

}  // namespace backstitch::engine
