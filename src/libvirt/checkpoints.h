// The checkpoints of a domain: libvirt's names for dirty bitmaps.
//
// Ours are called as src/image/bitmap_plan.h says; the bitmap in each image has
// the same name. Every bitmap records on its own (QEMU's are all active), so
// one goes without harm to the others. What others made is never touched.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "format/repository/manifest.h"
#include "src/libvirt/connection.h"

namespace backstitch::engine {

// Names of all checkpoints that libvirt knows of.
std::set<std::string> checkpoint_names(Guest& guest);

// Its description without the domain's; what a manifest keeps.
std::string checkpoint_xml(Guest& guest, const std::string& name);

// Tells libvirt again of a checkpoint whose bitmaps are (or are not) in the
// images: of a transient or moved domain, or after libvirt lost its state.
// `disks` are those that have the bitmap.
void redefine_checkpoint(Guest& guest, const std::string& name,
                         format::Time time,
                         const std::vector<std::string>& disks);

// With its bitmaps where the domain runs, on those disks that have one.
void delete_checkpoint(Guest& guest, const std::string& name);

// Bytes of each disk written since the checkpoint, as far as libvirt knows.
std::map<std::string, uint64_t> bytes_since(Guest& guest,
                                            const std::string& name);

}  // namespace backstitch::engine
