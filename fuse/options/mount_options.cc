#include "fuse/options/mount_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "format/base/error.h"
#include "format/base/units.h"

namespace backstitch::mount {
namespace {

struct Word {
  std::string name;
  std::string value;
  bool has_value = false;
};

// mount(8)'s and systemd.mount(5)'s own words. The mount is always nosuid and
// nodev, and read-only unless our own word says otherwise (mount(8) says rw of
// its own accord), so the words that ask for less change nothing.
constexpr std::array<std::string_view, 43> kAccepted = {
    "_netdev",
    "async",
    "atime",
    "auto",
    "comment",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "fsname",
    "group",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noauto",
    "nodev",
    "nodiratime",
    "nofail",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nouser",
    "owner",
    "relatime",
    "ro",
    "rw",
    "silent",
    "strictatime",
    "subtype",
    "suid",
    "sync",
    "user",
    "users",
    "uhelper",
    "helper",
    "default_permissions",
    "noowner",
    "nogroup",
};
constexpr std::array<std::string_view, 6> kPassedOn = {
    "noexec", "noatime", "context", "fscontext", "defcontext", "rootcontext"};

std::vector<Word> split(const std::string& text) {
  std::vector<Word> words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    Word& word = words.back();
    if (c == ',') {
      words.emplace_back();
      continue;
    }
    if (c == '=' && !word.has_value) {
      word.has_value = true;
      continue;
    }
    if (c == '\\' && i + 1 < text.size()) c = text[++i];
    (word.has_value ? word.value : word.name) += c;
  }
  std::erase_if(words, [](const Word& word) {
    return word.name.empty() && !word.has_value;
  });
  return words;
}

Error usage(const std::string& message) {
  return Error(ErrorKind::kUsage, message);
}

unsigned parse_number(const Word& word, unsigned least, unsigned most) {
  unsigned value = 0;
  const char* end = word.value.data() + word.value.size();
  const auto [rest, code] = std::from_chars(word.value.data(), end, value);
  if (code != std::errc() || rest != end || value < least || value > most) {
    throw usage("-o " + word.name + ": \"" + word.value +
                "\" is not a number " + "from " + std::to_string(least) +
                " to " + std::to_string(most));
  }
  return value;
}

void need_value(const Word& word) {
  if (word.value.empty())
    throw usage("-o " + word.name + " needs a value: " + word.name + "=…");
}

// True when the word is one of ours.
bool parse_own(const Word& word, MountOptions& options) {
  constexpr unsigned kMaxThreads = 256;
  constexpr unsigned kMaxReadaheadKb = 64 << 10;
  if (word.name == "allow_other") {
    options.allow_other = true;
  } else if (word.name == "nonempty") {
    options.nonempty = true;
  } else if (word.name == "writable") {
    options.writable = true;
  } else if (word.name == "overlay") {
    need_value(word);
    options.overlay = word.value;
  } else if (word.name == "point") {
    need_value(word);
    options.points.push_back(word.value);
  } else if (word.name == "cache") {
    need_value(word);
    options.cache_bytes = parse_bytes(word.value, "-o cache");
  } else if (word.name == "threads") {
    options.threads = parse_number(word, 1, kMaxThreads);
  } else if (word.name == "readahead_kb") {
    options.readahead_kb = parse_number(word, 0, kMaxReadaheadKb);
  } else if (word.name == "log") {
    need_value(word);
    options.log_file = word.value;
  } else {
    return false;
  }
  return true;
}

bool is_generic(const std::string& name) {
  return std::ranges::find(kAccepted, name) != kAccepted.end() ||
         name.starts_with("x-") || name.starts_with("X-");
}

}  // namespace

void parse_mount_options(const std::string& text, MountOptions& options) {
  for (const Word& word : split(text)) {
    if (parse_own(word, options) || is_generic(word.name)) continue;
    if (std::ranges::find(kPassedOn, word.name) == kPassedOn.end())
      throw usage("-o " + word.name + ": no such mount option");
    options.passed_on.push_back(word.has_value ? word.name + "=" + word.value
                                               : word.name);
  }
}

}  // namespace backstitch::mount
