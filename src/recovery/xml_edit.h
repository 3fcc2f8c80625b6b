// Changing domain descriptions: what all that adapt them share.
#pragma once

#include <pugixml.hpp>
#include <string>

namespace backstitch::engine {

// The <domain> of a description. Throws kFailed on what is none.
pugi::xml_node load_domain(pugi::xml_document& document,
                           const std::string& xml);
std::string save_text(const pugi::xml_document& document);

// The child, made where it is not there.
pugi::xml_node child_of(pugi::xml_node parent, const char* name);
void set_attribute(pugi::xml_node node, const char* name,
                   const std::string& value);
// All children of that name.
void remove_all(pugi::xml_node parent, const char* name);

// The disk becomes a file; who it is to the guest (target, serial, address,
// boot order) stays.
void place_disk(pugi::xml_node disk, const std::string& path,
                const std::string& format);
// A block device likewise.
void place_disk_on_device(pugi::xml_node disk, const std::string& device,
                          const std::string& format);

// A file that <os> names: "nvram", "loader", "kernel", "initrd".
void set_file(pugi::xml_node os, const std::string& name,
              const std::string& path);

// type='qemu', without a processor that only the old host has.
void set_emulated(pugi::xml_node domain);

}  // namespace backstitch::engine
