// The nodes of the mounted tree.
//
//   root ── domain ─┬─ latest (a symbolic link)
//                   └─ point ── file
//
// A node says what it is and finds its children; inode numbers and reference
// counts are the inode table's.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "fuse/overlay/overlays.h"
#include "fuse/tree/catalog.h"

namespace backstitch::mount {

class Node;
using NodePointer = std::shared_ptr<const Node>;

// What all nodes of a mount have in common.
struct TreeContext {
  std::unique_ptr<ImageFactory> images;
  Overlays* overlays = nullptr;  // `images` of a writable mount
  std::unique_ptr<Catalog> catalog;
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t directory_mode = 0500;
  mode_t file_mode = 0400;
  mode_t writable_mode = 0600;  // of disks and partitions, with overlays
};

struct DirectoryEntry {
  std::string name;
  mode_t type = 0;   // S_IFDIR, S_IFREG, S_IFLNK
  NodePointer node;  // null where finding it would cost reading a manifest
};

// An open file: the image, and what keeps its point from being deleted.
struct OpenedImage {
  ImagePointer image;
  HeldPointer held;
  // The disk that takes what is written to the file, and where the file begins
  // in it; null for a file that cannot be written.
  WritablePointer writable = nullptr;
  uint64_t offset = 0;
};

// Immutable and thread-safe. What a kind of node does not do throws kUsage; the
// kernel never asks it.
class Node {
 public:
  virtual ~Node() = default;

  // Without st_ino.
  virtual struct stat attributes() const = 0;
  // The same at once, with st_blocks too high where they would have to be
  // counted; `exact` is then set to false.
  virtual struct stat quick_attributes(bool& exact) const;
  // Whether name and attributes can never change while the node is known.
  virtual bool is_constant() const { return false; }
  // Whether `other`, found later under the same name, is the same thing.
  virtual bool is_same(const Node& other) const = 0;

  // Throws kNotFound. `known` is the node that the name had before, or null.
  virtual NodePointer child(const std::string& name,
                            const NodePointer& known) const;
  virtual std::vector<DirectoryEntry> list() const;
  virtual std::string link_target() const;
  // Throws kNotFound when the point is gone.
  virtual OpenedImage open() const;
};

NodePointer make_root(const TreeContext& context);
NodePointer make_domain(const TreeContext& context, std::string name);
NodePointer make_latest(const TreeContext& context, std::string domain);
NodePointer make_point(const TreeContext& context, DirectoryPointer point);
NodePointer make_file(const TreeContext& context, DirectoryPointer point,
                      FilePointer file);

// The directory behind a point's node; null for null and for other nodes.
DirectoryPointer directory_of(const NodePointer& node);

}  // namespace backstitch::mount
