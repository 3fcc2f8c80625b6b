// Scripts that complete command lines, made from the table of commands.
#pragma once

#include <string>
#include <vector>

#include "src/cli/help.h"

namespace backstitch::cli {

// What may stand for a value.
struct Offer {
  enum class Kind { kNothing, kDomain, kPoint, kDirectory, kFile, kWords };
  Kind kind = Kind::kNothing;
  std::string words;  // kWords: separated by spaces

  // "domain", "point", "directory", "file", "words" or "nothing".
  std::string name() const;
};

// From a value_name ("DIR") or the name of a positional argument ("domain").
Offer offer_for(const std::string& name);

struct CompletedOption {
  OptionText text;
  Offer offer;  // of its value
};

// The options that may follow a command: its own and the global ones.
std::vector<CompletedOption> completed_options(const Command& command);
std::vector<CompletedOption> completed_globals();

// The first words of all commands, each once; and, between spaces, the second
// words of those that begin with one.
std::vector<std::string> first_words();
std::string second_words(const std::string& group);

// `text` between single quotes, as bash, zsh and fish read it.
std::string shell_quoted(const std::string& text);

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace backstitch::cli
