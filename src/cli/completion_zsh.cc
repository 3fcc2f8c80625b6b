// The zsh script: _arguments does the work.
#include "src/cli/commands.h"
#include "src/cli/completion.h"

namespace backstitch::cli {

namespace {

constexpr const char* kHead = R"sh(#compdef backstitch
# zsh completion for backstitch, as 'backstitch completion zsh' prints it

_backstitch_list() {
  local where=${(Q)repository/#\~/$HOME}
  backstitch ${where:+-r} ${where:+$where} list --names "$@" 2>/dev/null
}

_backstitch_domain() {
  local -a found
  found=(${(f)"$(_backstitch_list)"})
  compadd "$@" -a found
}

_backstitch_point() {
  local -a found
  if compset -P '*@'; then
    found=(${${(f)"$(_backstitch_list "${(Q)IPREFIX%@}")"}##*@})
    compadd "$@" -a found
  else
    found=(${(f)"$(_backstitch_list)"})
    compadd "$@" -a found
    compadd "$@" -S '' -- ${^found}@
  fi
}

_backstitch() {
  local curcontext=$curcontext state line repository
  local -A opt_args
)sh";

constexpr const char* kTail = R"sh(
if [[ $funcstack[1] == _backstitch ]]; then
  _backstitch "$@"
else
  compdef _backstitch backstitch
fi
)sh";

// In a specification of _arguments, outside of the shell's own quotes.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string action(const Offer& offer) {
  switch (offer.kind) {
    case Offer::Kind::kDomain:
      return "_backstitch_domain";
    case Offer::Kind::kPoint:
      return "_backstitch_point";
    case Offer::Kind::kDirectory:
      return "_files -/";
    case Offer::Kind::kFile:
      return "_files";
    case Offer::Kind::kWords:
      return "(" + offer.words + ")";
    case Offer::Kind::kNothing:
      break;
  }
  return "";
}

// Every option may be given again: those for which that makes no sense are few.
std::string option_specs(const std::vector<CompletedOption>& options) {
  std::string out;
  for (const auto& option : options) {
    const std::string value =
        option.text.value.empty()
            ? ""
            : ":" + escaped(option.text.value) + ":" + action(option.offer);
    const std::string text = "[" + escaped(option.text.description) + "]";
    if (!option.text.short_name.empty()) {
      out +=
          " \\\n    " + shell_quoted("*" + option.text.short_name +
                                     (value.empty() ? "" : "+") + text + value);
    }
    if (!option.text.long_name.empty()) {
      out +=
          " \\\n    " + shell_quoted("*" + option.text.long_name +
                                     (value.empty() ? "" : "=") + text + value);
    }
  }
  return out;
}

std::string positional_specs(const Command& command) {
  std::string out;
  for (const auto& [name, count] : command.positionals) {
    const std::string rest = ":" + name + ":" + action(offer_for(name));
    for (int i = 0; i < count; ++i)
      out += " \\\n    " + shell_quoted(":" + rest);
    if (count < 0) out += " \\\n    " + shell_quoted("*" + rest);
  }
  return out;
}

std::string name_spec(const std::string& name, const std::string& summary) {
  return "    " + shell_quoted(name + ":" + escaped(summary)) + "\n";
}

std::string command_case(const std::string& word, const Command& command) {
  return "  " + word + ")\n    _arguments -s" +
         option_specs(completed_options(command)) + positional_specs(command) +
         "\n    ;;\n";
}

// What follows the first of two words.
std::string group_body(const std::string& group,
                       const std::vector<const Command*>& members) {
  std::string names;
  std::string cases;
  for (const Command* command : members) {
    const std::string word = command->name.substr(group.size() + 1);
    names += name_spec(word, command->summary);
    cases += command_case(word, *command);
  }
  return "    commands=(\n" + names + "    )\n    _arguments -C -s" +
         option_specs(completed_globals()) +
         " \\\n    '1: :->command' '*:: :->arguments'\n"
         "    case $state in\n"
         "    command) _describe command commands ;;\n"
         "    arguments)\n  case $words[1] in\n" +
         cases + "  esac\n    ;;\n    esac\n";
}

}  // namespace

std::string zsh_completion() {
  std::string names;
  std::string cases;
  for (const auto& word : first_words()) {
    const auto members = commands_of(word);
    if (members.empty()) {
      const Command& command = *find_command(word);
      names += name_spec(word, command.summary);
      cases += command_case(word, command);
      continue;
    }
    names += name_spec(word, "");
    cases += "  " + word + ")\n" + group_body(word, members) + "    ;;\n";
  }
  return kHead + ("  local -a commands=(\n" + names + "  )\n") +
         "  _arguments -C -s" + option_specs(completed_globals()) +
         " \\\n    '1: :->command' '*:: :->arguments'\n"
         "  repository=${opt_args[-r]:-$opt_args[--repository]}\n"
         "  case $state in\n"
         "  command) _describe command commands ;;\n"
         "  arguments)\n  case $words[1] in\n" +
         cases + "  esac\n  ;;\n  esac\n}\n" + kTail;
}

}  // namespace backstitch::cli
