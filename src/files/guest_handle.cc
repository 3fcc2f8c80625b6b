#include "src/files/guest_handle.h"

#include <cerrno>
#include <cstring>

#include "src/base/stop.h"

namespace backstitch::engine {

std::vector<std::string> take_strings(char** list) {
  std::vector<std::string> texts;
  if (list == nullptr) return texts;
  for (char** text = list; *text != nullptr; ++text) {
    texts.emplace_back(*text);
    CFree()(*text);
  }
  CFree()(list);
  return texts;
}

std::vector<char*> string_list(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  // The call only reads them (its prototype lacks a const).
  for (const auto& text : texts)
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

Error guest_error(guestfs_h* guest, const std::string& what) {
  try {
    check_stop();
  } catch (const Error& error) {
    return error;
  }
  const int code = guestfs_last_errno(guest);
  if (code == ENOTDIR || code == EISDIR) {
    return Error(ErrorKind::kUsage,
                 "cannot " + what + ": " + std::strerror(code), code);
  }
  if (code != 0 && code != EINVAL) return system_error(code, what);
  const char* text = guestfs_last_error(guest);
  std::string why = text != nullptr ? text : "unknown error";
  why.resize(std::min(why.find('\n'), why.size()));
  return Error(ErrorKind::kFailed, "cannot " + what + ": " + why);
}

}  // namespace backstitch::engine
