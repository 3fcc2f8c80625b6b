#include "fuse/tree/inode_table.h"

#include <algorithm>

#include "format/base/error.h"

namespace backstitch::mount {

InodeTable::InodeTable(NodePointer root) {
  state_.with([&](State& state) {
    state.entries[kRoot] = Entry{std::move(root), 1, {}};
  });
}

NodePointer InodeTable::get(uint64_t inode) {
  return state_.with([&](State& state) {
    const auto found = state.entries.find(inode);
    if (found == state.entries.end()) {
      throw Error(ErrorKind::kNotFound,
                  "inode " + std::to_string(inode) + " is not known");
    }
    return found->second.node;
  });
}

NodePointer InodeTable::find(uint64_t parent, const std::string& name) {
  return state_.with([&](State& state) -> NodePointer {
    const auto found = state.names.find({parent, name});
    return found == state.names.end() ? nullptr
                                      : state.entries.at(found->second).node;
  });
}

InodeTable::Known InodeTable::remember(uint64_t parent, const std::string& name,
                                       NodePointer node) {
  return state_.with([&](State& state) {
    const Name key(parent, name);
    const auto found = state.names.find(key);
    if (found != state.names.end()) {
      Entry& entry = state.entries.at(found->second);
      if (entry.node == node || entry.node->is_same(*node)) {
        ++entry.references;
        return Known{found->second, entry.node};
      }
    }
    const uint64_t inode = state.next_inode++;
    state.entries[inode] = Entry{node, 1, key};
    state.names[key] = inode;
    return Known{inode, std::move(node)};
  });
}

void InodeTable::forget(uint64_t inode, uint64_t count) {
  // Released outside the lock: it may be the last holder of a large object.
  NodePointer released;
  state_.with([&](State& state) {
    const auto found = state.entries.find(inode);
    if (inode == kRoot || found == state.entries.end()) return;
    Entry& entry = found->second;
    entry.references -= std::min(count, entry.references);
    if (entry.references > 0) return;
    const auto name = state.names.find(entry.name);
    if (name != state.names.end() && name->second == inode)
      state.names.erase(name);
    released = std::move(entry.node);
    state.entries.erase(found);
  });
}

size_t InodeTable::size() {
  return state_.with([](State& state) { return state.entries.size(); });
}

}  // namespace backstitch::mount
