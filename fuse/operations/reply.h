// How operations answer, and how exceptions become errno values.
#pragma once

#include <exception>

#include "format/base/error.h"
#include "fuse/operations/driver.h"

namespace backstitch::mount {

inline Driver& driver_of(fuse_req_t request) {
  return *static_cast<Driver*>(fuse_req_userdata(request));
}

// errno for the exception in flight; logs what a user must know (damage, I/O)
// as `what` failing. `not_found` stands for kNotFound: ENOENT for a name,
// ESTALE for what was found before, EIO for the insides of a file.
int errno_in_flight(const char* what, int not_found);

// Runs an action that answers as its last step; what it throws is answered as
// an error.
template <typename Action>
void answer(fuse_req_t request, const char* what, int not_found,
            Action&& action) noexcept {
  int code = 0;
  try {
    action();
    return;
  } catch (...) {
    code = errno_in_flight(what, not_found);
  }
  fuse_reply_err(request, code);
}

// For how long the kernel may take name and attributes as given.
double timeout_seconds(const Node& node);

// Counts a reference to the child and says what the kernel should know of it.
fuse_entry_param remember_entry(Driver& driver, fuse_ino_t parent,
                                const std::string& name, NodePointer node);

}  // namespace backstitch::mount
