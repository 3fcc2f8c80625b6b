// Owners of what libguestfs gives, and its errors as ours.
#pragma once

#include <guestfs.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "format/base/error.h"

namespace backstitch::engine {

struct GuestClose {
  void operator()(guestfs_h* guest) const { guestfs_close(guest); }
};
using GuestHandle = std::unique_ptr<guestfs_h, GuestClose>;

struct CFree {
  // libguestfs hands out what malloc(3) gave.
  // NOLINTNEXTLINE(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory)
  void operator()(void* memory) const { std::free(memory); }
};
using CString = std::unique_ptr<char, CFree>;

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* list) const {
    kFree(list);
  }
};
using Statns =
    std::unique_ptr<struct guestfs_statns, Freed<guestfs_free_statns>>;
using StatnsList =
    std::unique_ptr<guestfs_statns_list, Freed<guestfs_free_statns_list>>;
using XattrList =
    std::unique_ptr<guestfs_xattr_list, Freed<guestfs_free_xattr_list>>;

// Takes a list of strings over and frees it.
std::vector<std::string> take_strings(char** list);
// What a call takes as a list; lives no longer than `texts`.
std::vector<char*> string_list(const std::vector<std::string>& texts);

// The handle's last failure: "cannot WHAT: why". kNotFound for ENOENT, kUsage
// for a file that should be a directory or the other way round, kInterrupted
// when a stop was asked for.
Error guest_error(guestfs_h* guest, const std::string& what);

}  // namespace backstitch::engine
