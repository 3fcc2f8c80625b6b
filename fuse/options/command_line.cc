#include "fuse/options/command_line.h"

#include <boost/program_options.hpp>
#include <sstream>

#include "format/base/error.h"

namespace backstitch::mount {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "Usage: backstitchfs REPOSITORY MOUNTPOINT [POINT...] [options]\n"
    "\n"
    "Shows the recovery points of a repository as raw disk images:\n"
    "MOUNTPOINT/DOMAIN/latest/vda.raw. With POINTs (DOMAIN[@SELECTOR]) only\n"
    "those, protected from deletion while they are mounted.\n"
    "\n";
constexpr const char* kMountOptions =
    "\nMount options:\n"
    "  allow_other      let all users read the images\n"
    "  nonempty         mount over a directory that is not empty\n"
    "  point=POINT      as the argument POINT; may be repeated\n"
    "  writable         let the images be written; the points stay as they "
    "are\n"
    "  overlay=DIR      keep what is written in DIR, and show it again\n"
    "  cache=SIZE       for decoded data (32M)\n"
    "  threads=N        requests served at once, at most (16)\n"
    "  readahead_kb=N   the kernel's read-ahead on the mount, when it can be\n"
    "                   set; 0 leaves it alone (1024)\n"
    "  log=FILE         as --log\n"
    "Those of mount(8) are accepted too. See backstitchfs(8).\n";

po::options_description named_options() {
  po::options_description options("Options");
  auto add = options.add_options();
  add("foreground,f", "stay in front, log to the standard error");
  add("option,o", po::value<std::vector<std::string>>()->value_name("OPT,..."),
      "mount options, see below");
  add("log", po::value<std::string>()->value_name("FILE"),
      "log to FILE and not to the system's log");
  add("verbose,v", "log every failed lookup too");
  add("help,h", "show this help");
  add("version,V", "show the version");
  return options;
}

po::variables_map parse(int argc, const char* const* argv) {
  po::options_description all = named_options();
  all.add_options()("argument", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("argument", -1);
  try {
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv)
                  .options(all)
                  .positional(positions)
                  .style(po::command_line_style::unix_style &
                         ~po::command_line_style::allow_guessing)
                  .run(),
              values);
    return values;
  } catch (const po::error& error) {
    throw Error(ErrorKind::kUsage, error.what());
  }
}

std::vector<std::string> strings(const po::variables_map& values,
                                 const char* name) {
  if (values.count(name) == 0) return {};
  return values[name].as<std::vector<std::string>>();
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  const po::variables_map values = parse(argc, argv);
  CommandLine line;
  if (values.count("help") != 0 || values.count("version") != 0) {
    line.action = values.count("help") != 0 ? CommandLine::Action::kHelp
                                            : CommandLine::Action::kVersion;
    return line;
  }
  line.foreground = values.count("foreground") != 0;
  line.verbose = values.count("verbose") != 0;
  for (const std::string& text : strings(values, "option"))
    parse_mount_options(text, line.mount);
  if (values.count("log") != 0)
    line.mount.log_file = values["log"].as<std::string>();
  const std::vector<std::string> arguments = strings(values, "argument");
  if (arguments.size() < 2) {
    throw Error(ErrorKind::kUsage,
                "a repository and a mount point are needed (--help says more)");
  }
  if (!line.mount.overlay.empty() && !line.mount.writable)
    throw Error(ErrorKind::kUsage, "-o overlay needs -o writable");
  line.repository = arguments[0];
  line.mount_point = arguments[1];
  line.mount.points.insert(line.mount.points.end(), arguments.begin() + 2,
                           arguments.end());
  return line;
}

std::string help_text() {
  std::ostringstream text;
  text << kUsage << named_options() << kMountOptions;
  return text.str();
}

}  // namespace backstitch::mount
