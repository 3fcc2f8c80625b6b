#include "src/libvirt/side_files.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

namespace backstitch::engine {
namespace {

using nlohmann::json;

constexpr uint64_t kMostMedium = 64 << 20;
constexpr uint64_t kMostFile = 64 << 20;

json value_of(const virTypedParameter& parameter) {
  switch (parameter.type) {
    case VIR_TYPED_PARAM_INT:
      return parameter.value.i;
    case VIR_TYPED_PARAM_UINT:
      return parameter.value.ui;
    case VIR_TYPED_PARAM_LLONG:
      return parameter.value.l;
    case VIR_TYPED_PARAM_ULLONG:
      return parameter.value.ul;
    case VIR_TYPED_PARAM_DOUBLE:
      return parameter.value.d;
    case VIR_TYPED_PARAM_BOOLEAN:
      return parameter.value.b != 0;
    case VIR_TYPED_PARAM_STRING:
      return parameter.value.s;
    default:
      return nullptr;
  }
}

// What the agent knows: operating system, host name, file systems, disks,
// interfaces. Nothing when there is none that answers.
json guest_info(Guest& guest) {
  virTypedParameterPtr list = nullptr;
  int count = 0;
  json info = json::object();
  if (virDomainGetGuestInfo(guest.get(), 0, &list, &count, 0) != 0) return info;
  for (int i = 0; i < count; ++i) info[list[i].field] = value_of(list[i]);
  virTypedParamsFree(list, count);
  return info;
}

std::string machine_json(Guest& guest, const DomainXml& xml) {
  json machine = {{"uuid", guest.uuid()}, {"persistent", guest.persistent()}};
  int autostart = 0;
  if (virDomainGetAutostart(guest.get(), &autostart) == 0)
    machine["autostart"] = autostart != 0;
  if (xml.has_agent && guest.state() == VIR_DOMAIN_RUNNING) {
    const json info = guest_info(guest);
    if (!info.empty()) machine["guest"] = info;
  }
  return machine.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

class SideFiles {
 public:
  SideFiles(format::PointWriter& writer, const Host& host)
      : writer_(writer), host_(host) {}

  void add(const std::string& name, const std::string& content) {
    if (!content.empty()) writer_.add_file(name, content);
  }
  // A file of the host. What cannot be read is no failure of the backup.
  void fetch(const std::string& name, const std::string& path,
             uint64_t limit = kMostFile) {
    if (path.empty()) return;
    std::string content;
    try {
      content = host_.read_file(path, limit);
    } catch (const Error& error) {
      missing_.push_back(name + " is not saved: " + error.what());
      return;
    }
    add(name, content);
  }
  void fetch_tpm(const std::string& uuid) {
    const std::string folder = "/var/lib/libvirt/swtpm/" + uuid;
    try {
      std::istringstream list(
          host_.run({"find", folder, "-type", "f", "-not", "-name", ".*"}));
      for (std::string path; std::getline(list, path);) {
        fetch("tpm." + std::filesystem::path(path).filename().string(), path);
      }
    } catch (const Error& error) {
      missing_.push_back(std::string("the TPM's state is not saved: ") +
                         error.what());
    }
  }
  // Where libvirt chooses the firmware, it says where the variables are only
  // while the machine runs. One that never ran has none.
  void fetch_variables(const DomainXml& xml) {
    if (!xml.nvram.empty() || !xml.chosen_efi)
      return fetch("nvram.fd", xml.nvram);
    const std::string path = chosen_nvram(xml.name);
    try {
      if (exists_at(host_, path)) fetch("nvram.fd", path);
    } catch (const Error& error) {
      missing_.push_back(std::string("nvram.fd is not saved: ") + error.what());
    }
  }
  // Large ones are installation media, which nobody misses.
  void fetch_medium(const DomainDisk& disk) {
    if (disk.device != "cdrom" || disk.type != "file" || disk.path.empty())
      return;
    try {
      std::istringstream size(
          host_.run({"stat", "--dereference", "--format=%s", "--", disk.path}));
      uint64_t bytes = 0;
      if (!(size >> bytes) || bytes > kMostMedium) return;
    } catch (const Error& error) {
      spdlog::debug("{}: {}", disk.target, error.what());
      return;
    }
    fetch(disk.target + ".iso", disk.path, kMostMedium);
  }

  std::vector<std::string> missing() && { return std::move(missing_); }

 private:
  format::PointWriter& writer_;
  const Host& host_;
  std::vector<std::string> missing_;
};

}  // namespace

Descriptions describe_machine(Guest& guest) {
  Descriptions descriptions;
  const bool active = guest.active();
  // A transient domain has no other than the live one.
  descriptions.inactive =
      guest.xml(VIR_DOMAIN_XML_SECURE |
                (guest.persistent() ? VIR_DOMAIN_XML_INACTIVE : 0));
  if (active) descriptions.live = guest.xml(VIR_DOMAIN_XML_SECURE);
  descriptions.xml =
      parse_domain_xml(active ? descriptions.live : descriptions.inactive);
  return descriptions;
}

std::vector<std::string> add_side_files(format::PointWriter& writer,
                                        Guest& guest, const Host& host,
                                        const Descriptions& descriptions) {
  const DomainXml& xml = descriptions.xml;
  SideFiles files(writer, host);
  files.add("domain.xml", descriptions.inactive);
  files.add("domain-live.xml", descriptions.live);
  files.add("machine.json", machine_json(guest, xml));
  files.fetch_variables(xml);
  files.fetch("loader.fd", xml.loader);
  files.fetch("kernel", xml.kernel);
  files.fetch("initrd", xml.initrd);
  if (xml.has_tpm) files.fetch_tpm(xml.uuid);
  for (const DomainDisk& disk : xml.disks) files.fetch_medium(disk);
  return std::move(files).missing();
}

}  // namespace backstitch::engine
