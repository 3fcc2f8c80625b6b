#include "fuse/tree/node.h"

#include "format/base/error.h"

namespace backstitch::mount {
namespace {

[[noreturn]] void refuse(const char* what) {
  throw Error(ErrorKind::kUsage, what);
}

}  // namespace

struct stat Node::quick_attributes(bool& exact) const {
  exact = true;
  return attributes();
}

NodePointer Node::child(const std::string& /*name*/,
                        const NodePointer& /*known*/) const {
  refuse("lookup in what is no directory");
}

std::vector<DirectoryEntry> Node::list() const {
  refuse("listing of what is no directory");
}

std::string Node::link_target() const {
  refuse("target of what is no symbolic link");
}

OpenedImage Node::open() const { refuse("opening what is no file"); }

}  // namespace backstitch::mount
