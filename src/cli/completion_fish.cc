// The fish script: one `complete` for each command, option and argument.
#include <sstream>

#include "src/cli/commands.h"
#include "src/cli/completion.h"

namespace backstitch::cli {

namespace {

constexpr const char* kFunctions = R"sh(
function __backstitch_list
    set -l words (commandline -opc)
    set -l repository
    for i in (seq (count $words))
        switch $words[$i]
            case -r --repository
                set repository -r $words[(math $i + 1)]
            case '--repository=*'
                set repository $words[$i]
        end
    end
    backstitch $repository list --names $argv 2>/dev/null
end

function __backstitch_point
    set -l token (commandline -ct)
    if string match -q '*@*' -- $token
        __backstitch_list (string replace -r '@[^@]*$' '' -- $token)
    else
        set -l domains (__backstitch_list)
        printf '%s\n' $domains $domains@
    end
end

complete -c backstitch -f
)sh";

// Arguments of `complete`; -F lets file names in, which -f keeps out.
std::string arguments_for(const Offer& offer) {
  switch (offer.kind) {
    case Offer::Kind::kDomain:
      return " -a '(__backstitch_list)'";
    case Offer::Kind::kPoint:
      return " -a '(__backstitch_point)'";
    case Offer::Kind::kDirectory:
      return " -a '(__fish_complete_directories (commandline -ct))'";
    case Offer::Kind::kFile:
      return " -F";
    case Offer::Kind::kWords:
      return " -a " + shell_quoted(offer.words);
    case Offer::Kind::kNothing:
      break;
  }
  return "";
}

// fish knows two escapes between single quotes: \' and \\.
std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string option_line(const CompletedOption& option,
                        const std::string& condition) {
  std::string line = "complete -c backstitch" + condition;
  const auto& text = option.text;
  if (!text.short_name.empty()) line += " -s " + text.short_name.substr(1);
  if (!text.long_name.empty()) line += " -l " + text.long_name.substr(2);
  if (!text.value.empty()) line += " -r" + arguments_for(option.offer);
  return line + " -d " + fish_quoted(text.description) + "\n";
}

// A condition: the command's one or two words are there.
std::string seen(const Command& command) {
  std::string condition;
  std::istringstream words(command.name);
  for (std::string word; words >> word;) {
    condition += (condition.empty() ? "" : "; and ") +
                 ("__fish_seen_subcommand_from " + word);
  }
  if (command.name.find(' ') != std::string::npos) return condition;
  // "mount" is also a second word.
  for (const auto& word : first_words()) {
    if (!commands_of(word).empty())
      condition += "; and not __fish_seen_subcommand_from " + word;
  }
  return condition;
}

std::string command_lines(const Command& command) {
  const std::string condition = " -n '" + seen(command) + "'";
  std::string out;
  for (const auto& option : command.options.options()) {
    const OptionText text = describe(*option);
    out += option_line({text, offer_for(text.value)}, condition);
  }
  for (const auto& [name, count] : command.positionals) {
    const std::string arguments = arguments_for(offer_for(name));
    if (arguments.empty()) continue;
    out += "complete -c backstitch" + condition + arguments + "\n";
  }
  return out;
}

}  // namespace

std::string fish_completion() {
  std::string names;
  for (const auto& word : first_words()) names += " " + word;
  std::string out =
      "# fish completion for backstitch, as 'backstitch completion fish' "
      "prints it\n" +
      std::string(kFunctions);
  for (const auto& option : completed_globals()) out += option_line(option, "");
  const std::string first =
      "complete -c backstitch -n 'not __fish_seen_subcommand_from" + names +
      "' -a ";
  for (const auto& word : first_words()) {
    if (!commands_of(word).empty()) out += first + word + "\n";
  }
  for (const auto& command : commands()) {
    const size_t space = command.name.find(' ');
    if (space == std::string::npos) {
      out += first + command.name;
    } else {
      const std::string group = command.name.substr(0, space);
      out += "complete -c backstitch -n '__fish_seen_subcommand_from " + group +
             "; and not __fish_seen_subcommand_from " + second_words(group) +
             "' -a " + command.name.substr(space + 1);
    }
    out += " -d " + fish_quoted(command.summary) + "\n";
    out += command_lines(command);
  }
  return out;
}

}  // namespace backstitch::cli
