// backstitch completion: the scripts for bash, zsh and fish.
#include "src/cli/completion.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "src/cli/arguments.h"
#include "src/cli/commands.h"
#include "src/cli/exit_code.h"
#include "src/cli/frame.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

std::vector<CompletedOption> completed(const Options& options) {
  std::vector<CompletedOption> result;
  for (const auto& option : options.options()) {
    const OptionText text = describe(*option);
    result.push_back({text, offer_for(text.value)});
  }
  return result;
}

int run(const Globals& globals, const Values& values) {
  const std::string shell = text(values, "shell");
  std::string script;
  if (shell == "bash") {
    script = bash_completion();
  } else if (shell == "zsh") {
    script = zsh_completion();
  } else if (shell == "fish") {
    script = fish_completion();
  } else {
    throw Error(ErrorKind::kUsage,
                "no completion for '" + shell + "'; there is bash, zsh, fish");
  }
  if (globals.json) {
    print_json({{"shell", shell}, {"script", script}});
  } else {
    print(script);
  }
  return kExitOk;
}

}  // namespace

std::string Offer::name() const {
  switch (kind) {
    case Kind::kNothing:
      return "nothing";
    case Kind::kDomain:
      return "domain";
    case Kind::kPoint:
      return "point";
    case Kind::kDirectory:
      return "directory";
    case Kind::kFile:
      return "file";
    case Kind::kWords:
      return "words";
  }
  return "nothing";
}

Offer offer_for(const std::string& name) {
  using Kind = Offer::Kind;
  static const std::map<std::string, Offer> offers = {
      {"DIR", {Kind::kDirectory, ""}},
      {"DOMAIN", {Kind::kDomain, ""}},
      {"FILE", {Kind::kFile, ""}},
      {"FORMAT", {Kind::kWords, "raw qcow2"}},
      {"LEVEL", {Kind::kWords, "auto full incremental differential copy"}},
      {"POINT", {Kind::kPoint, ""}},
      {"archive", {Kind::kFile, ""}},
      {"dest", {Kind::kFile, ""}},
      {"dir", {Kind::kDirectory, ""}},
      {"domain", {Kind::kDomain, ""}},
      {"mountpoint", {Kind::kDirectory, ""}},
      {"path", {Kind::kDirectory, ""}},
      {"point", {Kind::kPoint, ""}},
      {"shell", {Kind::kWords, "bash zsh fish"}},
      {"target", {Kind::kDirectory, ""}},
  };
  const auto found = offers.find(name);
  return found == offers.end() ? Offer{} : found->second;
}

std::vector<CompletedOption> completed_options(const Command& command) {
  auto options = completed(command.options);
  const auto globals = completed_globals();
  options.insert(options.end(), globals.begin(), globals.end());
  return options;
}

std::vector<CompletedOption> completed_globals() {
  return completed(global_options());
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const auto& command : commands()) {
    const std::string word = command.name.substr(0, command.name.find(' '));
    if (std::find(words.begin(), words.end(), word) == words.end())
      words.push_back(word);
  }
  return words;
}

std::string second_words(const std::string& group) {
  std::string words;
  for (const Command* command : commands_of(group))
    words +=
        (words.empty() ? "" : " ") + command->name.substr(group.size() + 1);
  return words;
}

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

Command completion_command() {
  return {"completion",
          "SHELL",
          "Print a script that completes commands in bash, zsh or fish.",
          {},
          {{"shell", 1}},
          run};
}

}  // namespace backstitch::cli
