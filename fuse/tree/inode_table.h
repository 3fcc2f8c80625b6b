// Inode numbers of the nodes that the kernel knows, with its reference counts.
//
// The kernel counts each reply that names a node, and gives the counts back
// with forget. A number belongs to one node for as long as the kernel knows it
// and is never used again, so that the kernel's cached pages cannot come to
// stand for another image.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "format/base/synchronized.h"
#include "fuse/tree/node.h"

namespace backstitch::mount {

// Thread-safe.
class InodeTable {
 public:
  static constexpr uint64_t kRoot = 1;  // FUSE_ROOT_ID; never forgotten

  explicit InodeTable(NodePointer root);

  struct Known {
    uint64_t inode = 0;
    NodePointer node;
  };

  // Throws kNotFound for a number that was forgotten or never given.
  NodePointer get(uint64_t inode);
  // The node that a name has now, or null.
  NodePointer find(uint64_t parent, const std::string& name);
  // Counts one reference to the child `name`. When the table has a node of that
  // name that is the same as `node`, that one stays; another takes its name
  // (the old one lives on under its number until forgotten).
  Known remember(uint64_t parent, const std::string& name, NodePointer node);
  void forget(uint64_t inode, uint64_t count);
  // How many nodes are known, the root included.
  size_t size();

 private:
  using Name = std::pair<uint64_t, std::string>;
  struct Entry {
    NodePointer node;
    uint64_t references = 0;
    Name name;
  };
  struct State {
    std::unordered_map<uint64_t, Entry> entries;
    std::map<Name, uint64_t> names;
    uint64_t next_inode = kRoot + 1;
  };

  Synchronized<State> state_;
};

}  // namespace backstitch::mount
