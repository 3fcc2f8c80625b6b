// Operations on names and nodes: lookup, forget, getattr, readlink.
#include <cerrno>

#include "fuse/operations/reply.h"

namespace backstitch::mount {
namespace {

void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  answer(request, "lookup", ENOENT, [&] {
    Driver& driver = driver_of(request);
    const NodePointer known = driver.inodes.find(parent, name);
    NodePointer node = driver.inodes.get(parent)->child(name, known);
    const auto entry = remember_entry(driver, parent, name, std::move(node));
    // A caller that was interrupted has not got the reference.
    if (fuse_reply_entry(request, &entry) != 0)
      driver.inodes.forget(entry.ino, 1);
  });
}

void on_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count) {
  driver_of(request).inodes.forget(inode, count);
  fuse_reply_none(request);
}

void on_forget_multi(fuse_req_t request, size_t count,
                     fuse_forget_data* forgets) {
  Driver& driver = driver_of(request);
  for (const fuse_forget_data& forget : std::span(forgets, count))
    driver.inodes.forget(forget.ino, forget.nlookup);
  fuse_reply_none(request);
}

void on_getattr(fuse_req_t request, fuse_ino_t inode,
                fuse_file_info* /*file*/) {
  answer(request, "getattr", ESTALE, [&] {
    const NodePointer node = driver_of(request).inodes.get(inode);
    struct stat status = node->attributes();
    status.st_ino = inode;
    fuse_reply_attr(request, &status, timeout_seconds(*node));
  });
}

void on_readlink(fuse_req_t request, fuse_ino_t inode) {
  answer(request, "readlink", ENOENT, [&] {
    const std::string target =
        driver_of(request).inodes.get(inode)->link_target();
    fuse_reply_readlink(request, target.c_str());
  });
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& operations) {
  operations.lookup = on_lookup;
  operations.forget = on_forget;
  operations.forget_multi = on_forget_multi;
  operations.getattr = on_getattr;
  operations.readlink = on_readlink;
}

}  // namespace backstitch::mount
