// backstitch files find: files of a guest by name, age, size and type.
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "format/base/error.h"
#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/files/entry.h"
#include "src/cli/files/point.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using engine::GuestFile;

struct SizeRule {
  char compare = '=';  // '+': larger, '-': smaller
  uint64_t bytes = 0;
};

struct Rules {
  std::vector<std::string> names;  // any of them
  std::optional<int64_t> newer;    // seconds
  std::vector<SizeRule> sizes;     // all of them
  std::string types;               // any of these letters
};

SizeRule parse_size(const std::string& text) {
  if (text.empty()) throw Error(ErrorKind::kUsage, "--size: no size");
  const bool relative = text[0] == '+' || text[0] == '-';
  return {relative ? text[0] : '=',
          parse_bytes(relative ? text.substr(1) : text, "--size")};
}

int64_t parse_time(const std::string& text) {
  for (const char* form : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
                           "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm parts{};
    parts.tm_isdst = -1;
    const char* end = strptime(text.c_str(), form, &parts);
    if (end != nullptr && *end == '\0') return std::mktime(&parts);
  }
  throw Error(ErrorKind::kUsage, "--newer " + text +
                                     ": say a time as 2026-11-23 or "
                                     "\"2026-11-23 02:05\"");
}

char type_letter(mode_t mode) {
  return S_ISREG(mode) ? 'f' : static_cast<char>(mode_text(mode)[0]);
}

Rules parse_rules(const Values& values) {
  Rules rules;
  rules.names = texts(values, "name");
  for (const auto& size : texts(values, "size"))
    rules.sizes.push_back(parse_size(size));
  const std::string newer = text(values, "newer");
  if (!newer.empty()) rules.newer = parse_time(newer);
  rules.types = text(values, "type");
  if (rules.types.find_first_not_of("fdlcbps,") != std::string::npos) {
    throw Error(ErrorKind::kUsage,
                "--type " + rules.types + ": say some of f, d, l, c, b, p, s");
  }
  return rules;
}

bool fits(const SizeRule& rule, uint64_t bytes) {
  if (rule.compare == '+') return bytes > rule.bytes;
  if (rule.compare == '-') return bytes < rule.bytes;
  return bytes == rule.bytes;
}

bool matches(const Rules& rules, const GuestFile& file) {
  const std::string name = file.path.substr(file.path.rfind('/') + 1);
  const auto named = [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0;
  };
  const auto sized = [&](const SizeRule& rule) {
    return fits(rule, file.size_bytes);
  };
  return (rules.names.empty() ||
          std::any_of(rules.names.begin(), rules.names.end(), named)) &&
         (!rules.newer || file.modified.seconds >= *rules.newer) &&
         std::all_of(rules.sizes.begin(), rules.sizes.end(), sized) &&
         (rules.types.empty() ||
          rules.types.find(type_letter(file.mode)) != std::string::npos);
}

void report(const Globals& globals, const Values& values,
            const FilesTarget& target, const std::vector<GuestFile>& found) {
  const auto path = [&](const GuestFile& file) {
    return join_path(target.path, file.path);
  };
  if (globals.json) {
    auto entries = nlohmann::json::array();
    for (const auto& file : found)
      entries.push_back(file_json(file, path(file)));
    print_json({{"point", target.label()}, {"files", entries}});
    return;
  }
  if (flag(values, "long")) {
    Table table = long_table();
    for (const auto& file : found) add_long_row(table, file, path(file));
    if (!table.empty()) print(table.to_string());
    return;
  }
  std::string out;
  for (const auto& file : found) {
    out += flag(values, "print0") ? path(file) + '\0'
                                  : format::printable(path(file)) + "\n";
  }
  print(out);
}

int run(const Globals& globals, const Values& values) {
  const Rules rules = parse_rules(values);
  const auto repository = globals.open_repository();
  const auto target = parse_files_target(repository, text(values, "point"));
  std::vector<GuestFile> found;
  with_files(globals, values, repository, target,
             [&](engine::GuestView& guest) {
               found = guest.walk(target.path, true);
               return kExitOk;
             });
  std::erase_if(found, [&](const auto& file) { return !matches(rules, file); });
  report(globals, values, target, found);
  return kExitOk;
}

}  // namespace

Command files_find_command() {
  namespace po = boost::program_options;
  const auto several = [](const char* name) {
    return po::value<std::vector<std::string>>()->value_name(name);
  };
  const auto one = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  Options options;
  options.add_options()("name", several("GLOB"),
                        "whose name fits (repeatable: any of them)")(
      "newer", one("TIME"), "modified at TIME or later")(
      "size", several("[+-]BYTES"), "of this size, larger (+), smaller (-)")(
      "type", one("LETTERS"),
      "f file, d directory, l link, c, b device, p fifo, s socket")(
      "long,l", po::bool_switch(), "with mode, owner, size and time")(
      "print0,0", po::bool_switch(), "names as they are, each ended by a NUL");
  add_mount_option(options);
  return {"files find",
          "POINT:PATH",
          "Find files of a point by name, time, size or type.",
          options,
          {{"point", 1}},
          run};
}

}  // namespace backstitch::cli
