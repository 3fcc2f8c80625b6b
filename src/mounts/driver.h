// A driver of one's own for some points, that outlives the program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace backstitch::engine {

// Whether a tree is mounted there and its driver answers.
bool tree_alive(const std::string& mount_point);

// Mounts `points` (DOMAIN@N) of a repository, `shared` for all users (who may
// go there is for the directory above to say), else for this one. Throws what
// the driver says.
void mount_tree(const std::string& repository, const std::string& mount_point,
                const std::vector<std::string>& points, bool shared);

// Takes it away, whoever still holds it open, and ends its driver: a process
// with a mount namespace of its own (as libvirt gives to QEMU) would keep it
// for ever. What is not there is no error.
void unmount_tree(const std::string& mount_point);

}  // namespace backstitch::engine
