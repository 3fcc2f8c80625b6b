// The bash script: a table of what each command takes, and one function that
// reads it.
#include "src/cli/commands.h"
#include "src/cli/completion.h"

namespace backstitch::cli {

namespace {

// A domain@point is cut into words by bash (COMP_WORDBREAKS holds the @), so
// the line is split again by white space alone, and what stands before the @ is
// taken off the replies.
constexpr const char* kFunctions = R"sh(
_backstitch_list() {
  if [[ -n $repository ]]; then
    backstitch -r "$repository" list --names "$@" 2>/dev/null
  else
    backstitch list --names "$@" 2>/dev/null
  fi
}

_backstitch_offer() {
  local name found=()
  case $1 in
    domain) mapfile -t found < <(_backstitch_list) ;;
    point)
      if [[ $cur == *@* ]]; then
        mapfile -t found < <(_backstitch_list "${cur%@*}")
      else
        mapfile -t found < <(_backstitch_list)
        compopt -o nospace
      fi
      ;;
    directory | file)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen "-${1:0:1}" -- "$cur")
      return
      ;;
    words:*) IFS=, read -ra found <<<"${1#words:}" ;;
    *) return ;;
  esac
  for name in "${found[@]}"; do
    [[ $name == "$cur"* ]] || continue
    name=$(printf %q "$name")
    if [[ $cur == *@* && $COMP_WORDBREAKS == *@* ]]; then
      name=@${name##*@}
    fi
    COMPREPLY+=("$name")
  done
}

_backstitch_value_of() {
  local each
  for each in "${values[@]}"; do
    if [[ ${each%%=*} == "$1" ]]; then
      kind=${each#*=}
      return 0
    fi
  done
  return 1
}

_backstitch() {
  local line=${COMP_LINE:0:COMP_POINT} words=() cur word kind i
  local command='' groups='' repository='' options values positionals position=0
  COMPREPLY=()
  # Without -r: backslashes before blanks are meant.
  # shellcheck disable=SC2162
  read -a words <<<"$line"
  [[ $line == *[[:blank:]] ]] && words+=('')
  cur=${words[-1]}
  _backstitch_table ''
  for ((i = 1; i < ${#words[@]} - 1; ++i)); do
    word=${words[i]}
    case $word in
      --repository=*) repository=${word#*=} ;;
      -*)
        if _backstitch_value_of "$word"; then
          ((++i))
          if ((i == ${#words[@]} - 1)); then
            _backstitch_offer "$kind"
            return
          fi
          case $word in -r | --repository) repository=${words[i]} ;; esac
        fi
        ;;
      *)
        if [[ -z $command ]]; then
          command=$word
          _backstitch_table "$command"
        elif [[ " $groups " == *" $command "* ]]; then
          command+=" $word"
          _backstitch_table "$command"
        else
          ((++position))
        fi
        ;;
    esac
  done
  repository=${repository/#\~/$HOME}
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${options[*]}" -- "$cur")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
  elif ((${#positionals[@]} > 0)); then
    kind=${positionals[position]-}
    [[ -z $kind && ${positionals[-1]} == *+ ]] && kind=${positionals[-1]}
    _backstitch_offer "${kind%+}"
  fi
}

complete -F _backstitch backstitch
)sh";

std::string kind_of(const Offer& offer) {
  if (offer.kind != Offer::Kind::kWords) return offer.name();
  std::string words = offer.words;
  for (char& c : words) {
    if (c == ' ') c = ',';
  }
  return "words:" + words;
}

std::string row(const std::string& name,
                const std::vector<CompletedOption>& options,
                const std::string& positionals) {
  std::string words;
  std::string values;
  for (const auto& option : options) {
    for (const auto& spelling :
         {option.text.short_name, option.text.long_name}) {
      if (spelling.empty()) continue;
      words += " " + spelling;
      if (option.text.value.empty()) continue;
      values += " " + shell_quoted(spelling + "=" + kind_of(option.offer));
    }
  }
  return "    " + shell_quoted(name) + ")\n      options=(" + words +
         " )\n      values=(" + values + " )\n      positionals=(" +
         positionals + " )\n      ;;\n";
}

std::string positionals_of(const Command& command) {
  std::string kinds;
  for (const auto& [name, count] : command.positionals) {
    const std::string kind = kind_of(offer_for(name));
    for (int i = 1; i < count; ++i) kinds += " " + shell_quoted(kind);
    kinds += " " + shell_quoted(kind + (count < 0 ? "+" : ""));
  }
  return kinds;
}

}  // namespace

std::string bash_completion() {
  std::string names;
  std::string groups;
  std::string rows = row("", completed_globals(), "");
  for (const auto& word : first_words()) {
    names += names.empty() ? word : " " + word;
    if (commands_of(word).empty()) continue;
    groups += groups.empty() ? word : " " + word;
    rows +=
        row(word, completed_globals(),
            shell_quoted(kind_of({Offer::Kind::kWords, second_words(word)})));
  }
  for (const auto& command : commands()) {
    rows +=
        row(command.name, completed_options(command), positionals_of(command));
  }
  return "# bash completion for backstitch, as 'backstitch completion bash' "
         "prints it\n# shellcheck shell=bash disable=SC2034\n\n"
         "_backstitch_table() {\n  commands=" +
         shell_quoted(names) + "\n  groups=" + shell_quoted(groups) +
         "\n  case $1 in\n" + rows + "  esac\n}\n" + kFunctions;
}

}  // namespace backstitch::cli
