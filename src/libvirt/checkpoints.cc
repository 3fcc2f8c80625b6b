#include "src/libvirt/checkpoints.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <pugixml.hpp>
#include <sstream>

namespace backstitch::engine {
namespace {

using CheckpointHandle =
    LibvirtHandle<virDomainCheckpoint, virDomainCheckpointFree>;

CheckpointHandle look_up(Guest& guest, const std::string& name) {
  CheckpointHandle checkpoint(
      virDomainCheckpointLookupByName(guest.get(), name.c_str(), 0));
  if (!checkpoint) throw libvirt_failure("find the checkpoint " + name);
  return checkpoint;
}

std::string describe(Guest& guest, const std::string& name, unsigned flags) {
  const CheckpointHandle checkpoint = look_up(guest, name);
  return take_text(virDomainCheckpointGetXMLDesc(checkpoint.get(), flags),
                   "get the description of the checkpoint " + name);
}

bool deleted(Guest& guest, const std::string& name, unsigned flags) {
  return virDomainCheckpointDelete(look_up(guest, name).get(), flags) == 0;
}

bool forgotten(Guest& guest, const std::string& name) {
  return deleted(guest, name, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY);
}

// Targets of the disks that have its bitmap.
std::vector<std::string> disks_of(const std::string& text) {
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  std::vector<std::string> targets;
  const pugi::xml_node disks =
      document.child("domaincheckpoint").child("disks");
  for (const pugi::xml_node disk : disks.children("disk")) {
    if (disk.attribute("checkpoint").value() == std::string("bitmap"))
      targets.emplace_back(disk.attribute("name").value());
  }
  return targets;
}

}  // namespace

std::set<std::string> checkpoint_names(Guest& guest) {
  virDomainCheckpointPtr* list = nullptr;
  const int count = virDomainListAllCheckpoints(guest.get(), &list, 0);
  if (count < 0)
    throw libvirt_failure("list the checkpoints of " + guest.name());
  const std::unique_ptr<virDomainCheckpointPtr, decltype(&std::free)> owner(
      list, std::free);
  std::set<std::string> names;
  for (int i = 0; i < count; ++i) {
    const CheckpointHandle checkpoint(list[i]);
    names.emplace(virDomainCheckpointGetName(checkpoint.get()));
  }
  return names;
}

std::string checkpoint_xml(Guest& guest, const std::string& name) {
  return describe(guest, name, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
}

void redefine_checkpoint(Guest& guest, const std::string& name,
                         format::Time time,
                         const std::vector<std::string>& disks) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("domaincheckpoint");
  root.append_child("name").text() = name.c_str();
  root.append_child("creationTime").text() =
      static_cast<long long>(time.time_since_epoch().count() / 1000);
  pugi::xml_node list = root.append_child("disks");
  for (const std::string& target : disks) {
    pugi::xml_node disk = list.append_child("disk");
    disk.append_attribute("name") = target.c_str();
    disk.append_attribute("checkpoint") = "bitmap";
    disk.append_attribute("bitmap") = name.c_str();
  }
  const std::string domain = guest.xml();
  root.append_buffer(domain.data(), domain.size());
  std::ostringstream text;
  document.save(text);
  const CheckpointHandle made(virDomainCheckpointCreateXML(
      guest.get(), text.str().c_str(), VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE));
  if (!made) throw libvirt_failure("redefine the checkpoint " + name);
}

void delete_checkpoint(Guest& guest, const std::string& name) {
  if (deleted(guest, name, 0)) return;
  const Error failure = libvirt_failure("delete the checkpoint " + name);
  spdlog::debug("{}", failure.what());
  const std::string text =
      describe(guest, name, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
  if (!forgotten(guest, name)) throw Error(failure);
  if (!guest.active()) return;  // its bitmaps go when the images are backed up
  // One disk without the bitmap, and libvirt leaves those of all.
  for (const std::string& target : disks_of(text)) {
    try {
      redefine_checkpoint(guest, name, format::now(), {target});
    } catch (const Error& error) {  // a disk that the domain has no more
      spdlog::debug("{}", error.what());
      continue;
    }
    if (!deleted(guest, name, 0) && !forgotten(guest, name))
      throw libvirt_failure("forget the checkpoint " + name);
  }
}

std::map<std::string, uint64_t> bytes_since(Guest& guest,
                                            const std::string& name) {
  const std::string text = describe(
      guest, name,
      VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN | VIR_DOMAIN_CHECKPOINT_XML_SIZE);
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  std::map<std::string, uint64_t> bytes;
  const pugi::xml_node disks =
      document.child("domaincheckpoint").child("disks");
  for (const pugi::xml_node disk : disks.children("disk")) {
    if (const auto size = disk.attribute("size"))
      bytes[disk.attribute("name").as_string()] = size.as_ullong();
  }
  return bytes;
}

}  // namespace backstitch::engine
