// The FUSE operations, as libfuse's low-level interface wants them.
//
// Each operation is a C callback: it takes the driver from the request, answers
// exactly once, and lets no exception out.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "fuse/reading/reader.h"
#include "fuse/tree/inode_table.h"

namespace backstitch::mount {

// What a session works on. Thread-safe, as its parts are.
struct Driver {
  explicit Driver(const TreeContext& context)
      : tree(context), inodes(make_root(context)) {}

  const TreeContext& tree;
  InodeTable inodes;
  Reader reader;
  // What the kernel can do; set before the first request.
  bool kernel_writes_in_parallel = false;
};

fuse_lowlevel_ops driver_operations();

// One group of operations a file.
void add_session_operations(fuse_lowlevel_ops& operations);
void add_name_operations(fuse_lowlevel_ops& operations);
void add_directory_operations(fuse_lowlevel_ops& operations);
void add_file_operations(fuse_lowlevel_ops& operations);
void add_writing_operations(fuse_lowlevel_ops& operations);

}  // namespace backstitch::mount
