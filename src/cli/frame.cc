#include "src/cli/frame.h"

#include <algorithm>
#include <boost/any.hpp>
#include <cctype>
#include <cstdlib>

#include "format/base/error.h"
#include "src/cli/arguments.h"
#include "src/cli/commands.h"
#include "src/cli/suggest.h"
#include "src/config/config.h"

namespace backstitch::cli {

namespace {

namespace po = boost::program_options;
using Arguments = std::vector<std::string>;

// An option that is counted: -vv. Boost has none.
class Counter : public po::value_semantic {
 public:
  std::string name() const override { return ""; }
  unsigned min_tokens() const override { return 0; }
  unsigned max_tokens() const override { return 0; }
  bool is_composing() const override { return true; }
  bool is_required() const override { return false; }
  void parse(boost::any& value, const Arguments&, bool) const override {
    value = value.empty() ? 1 : boost::any_cast<int>(value) + 1;
  }
  bool apply_default(boost::any&) const override { return false; }
  void notify(const boost::any&) const override {}
};

// Guessing abbreviated options would make every new option a breaking change.
constexpr int kStyle = po::command_line_style::unix_style &
                       ~po::command_line_style::allow_guessing;

Options make_global_options() {
  Options options;
  auto add = options.add_options();
  add("repository,r", po::value<std::string>()->value_name("DIR"),
      "the repository; else BACKSTITCH_REPOSITORY");
  add("connect,c", po::value<std::string>()->value_name("URI"),
      "the hypervisor; else LIBVIRT_DEFAULT_URI, else qemu:///system");
  add("log-file", po::value<std::string>()->value_name("FILE"),
      "append what is logged to a file as well");
  add("json", po::bool_switch(), "print one JSON document");
  add("quiet,q", po::bool_switch(), "no progress; log only errors");
  // Boost takes it over.
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
  add("verbose,v", new Counter, "log more; twice: every detail");
  add("help,h", po::bool_switch(), "show this help, or that of a command");
  add("version", po::bool_switch(), "show the version");
  return options;
}

// How many arguments a global option at `at` takes up (itself, its value).
size_t option_length(const std::string& argument) {
  const auto takes_value = [](const std::string& name) {
    const auto* option = global_options().find_nothrow(name, false);
    return option != nullptr && option->semantic()->max_tokens() > 0;
  };
  if (argument.starts_with("--")) {
    const bool apart = argument.find('=') == std::string::npos;
    return apart && takes_value(argument.substr(2)) ? 2 : 1;
  }
  for (size_t i = 1; i < argument.size(); ++i) {
    if (takes_value("-" + argument.substr(i, 1))) {
      return i + 1 == argument.size() ? 2 : 1;  // -rDIR holds its value
    }
  }
  return 1;
}

// Where the command stands: the first word that belongs to no option.
size_t find_command_word(const Arguments& arguments) {
  size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with("-")) {
    at += option_length(arguments[at]);
  }
  return std::min(at, arguments.size());
}

// Whether a positional argument stands in the usage, outside of all brackets.
bool required(const Command& command, const std::string& name) {
  std::string word;
  int depth = 0;
  for (const char c : command.arguments + " ") {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    if (word == name) return depth == 0;
    word.clear();
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
  }
  return false;
}

[[noreturn]] void throw_unknown_option(const std::string& name,
                                       const Options& known) {
  Arguments names;
  for (const auto& option : known.options()) {
    names.push_back("--" + option->long_name());
  }
  throw Error(ErrorKind::kUsage,
              "unknown option '" + name + "'" +
                  (name.starts_with("--") ? did_you_mean(name, names) : ""));
}

void parse_into(Values& values, const Arguments& arguments,
                const Options& known,
                const po::positional_options_description& positions) {
  try {
    po::store(po::command_line_parser(arguments)
                  .options(known)
                  .positional(positions)
                  .style(kStyle)
                  .run(),
              values);
  } catch (const po::unknown_option& error) {
    throw_unknown_option(error.get_option_name(), known);
  } catch (const po::too_many_positional_options_error&) {
    throw Error(ErrorKind::kUsage, "too many arguments");
  } catch (const po::error& error) {
    throw Error(ErrorKind::kUsage, error.what());
  }
}

void parse_command(const Command& command, const Arguments& arguments,
                   Values& values) {
  Options known;
  for (const auto& option : global_options().options()) known.add(option);
  for (const auto& option : command.options.options()) known.add(option);
  po::positional_options_description positions;
  for (const auto& [name, count] : command.positionals) {
    positions.add(name.c_str(), count);
    if (count == 1) {
      known.add_options()(name.c_str(), po::value<std::string>());
    } else {
      known.add_options()(name.c_str(), po::value<Arguments>());
    }
  }
  parse_into(values, arguments, known, positions);
}

void check_required(const Command& command, const Values& values) {
  for (const auto& [name, count] : command.positionals) {
    if (required(command, name) && values.count(name) == 0) {
      throw Error(ErrorKind::kUsage, "usage: backstitch " + command.name + " " +
                                         command.arguments);
    }
  }
}

std::string from_environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

const Command& command_named(const std::string& name) {
  const Command* command = find_command(name);
  if (command != nullptr) return *command;
  Arguments names;
  for (const auto& known : commands()) names.push_back(known.name);
  throw Error(ErrorKind::kUsage,
              "unknown command '" + name + "'" + did_you_mean(name, names));
}

// "files: which of files ls, files cat?"
[[noreturn]] void throw_which(const std::string& group) {
  std::string names;
  for (const Command* command : commands_of(group))
    names += (names.empty() ? "" : ", ") + command->name;
  throw Error(ErrorKind::kUsage,
              "'" + group + "' is no command by itself; there is: " + names);
}

// The command whose one or two words stand at the beginning of `rest`, from
// which they are taken; nullptr when only the first of two is there. Options
// may stand between them.
const Command* take_command(Arguments& rest, std::string& group) {
  const std::string word = rest.front();
  rest.erase(rest.begin());
  if (commands_of(word).empty()) return &command_named(word);
  group = word;
  const auto second =
      rest.begin() + static_cast<std::ptrdiff_t>(find_command_word(rest));
  if (second == rest.end()) return nullptr;
  const Command& command = command_named(word + " " + *second);
  rest.erase(second);
  return &command;
}

// What was said in front of the command and behind it. The nearer word wins.
struct GlobalValues {
  const Values& front;
  const Values& behind;

  bool given(const char* name) const {
    return flag(front, name) || flag(behind, name);
  }
  std::string text(const char* name, const std::string& otherwise) const {
    for (const Values* values : {&behind, &front}) {
      if (values->count(name) != 0) return cli::text(*values, name);
    }
    return otherwise;
  }
  int count(const char* name) const {
    int sum = 0;
    for (const Values* values : {&behind, &front}) {
      if (values->count(name) != 0) sum += (*values)[name].as<int>();
    }
    return sum;
  }
};

void read_globals(const GlobalValues& values, Invocation& invocation) {
  Globals& globals = invocation.globals;
  globals.repository =
      values.text("repository", from_environment("BACKSTITCH_REPOSITORY", ""));
  globals.connect =
      values.text("connect", from_environment("LIBVIRT_DEFAULT_URI", ""));
  globals.log_file = values.text("log-file", "");
  globals.json = values.given("json");
  globals.quiet = values.given("quiet");
  globals.verbose = values.count("verbose");
  if (values.given("help")) invocation.action = Invocation::Action::kHelp;
  if (values.given("version")) invocation.action = Invocation::Action::kVersion;
}

// What neither the command line nor the environment says. A file that is wrong
// stands in nobody's way who needs nothing of it.
void read_config(Globals& globals) {
  if (globals.repository.empty() || globals.connect.empty()) {
    try {
      const auto config = engine::load_config_if_there(engine::config_path());
      if (globals.repository.empty()) globals.repository = config.repository;
      if (globals.connect.empty()) globals.connect = config.connect;
    } catch (const Error&) {
      if (globals.repository.empty()) throw;
    }
  }
  if (globals.connect.empty()) globals.connect = "qemu:///system";
}

}  // namespace

const Options& global_options() {
  static const Options options = make_global_options();
  return options;
}

Invocation parse_arguments(const Arguments& arguments) {
  Invocation invocation;
  const auto word = arguments.begin() +
                    static_cast<std::ptrdiff_t>(find_command_word(arguments));
  Values front;
  parse_into(front, {arguments.begin(), word}, global_options(), {});
  if (word != arguments.end()) {
    Arguments rest(word, arguments.end());
    invocation.command = take_command(rest, invocation.group);
    if (invocation.command != nullptr) {
      parse_command(*invocation.command, rest, invocation.values);
    } else {
      parse_into(invocation.values, rest, global_options(), {});
    }
  }
  read_globals({front, invocation.values}, invocation);
  if (invocation.action != Invocation::Action::kRun) return invocation;
  if (invocation.command == nullptr) {
    if (!invocation.group.empty()) throw_which(invocation.group);
    throw Error(ErrorKind::kUsage, "no command given; see 'backstitch --help'");
  }
  check_required(*invocation.command, invocation.values);
  read_config(invocation.globals);
  return invocation;
}

bool wants_json(const Arguments& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

}  // namespace backstitch::cli
