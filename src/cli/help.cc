#include "src/cli/help.h"

#include <algorithm>
#include <sstream>

#include "src/cli/commands.h"
#include "src/cli/table.h"

namespace backstitch::cli {

namespace {

namespace po = boost::program_options;

constexpr size_t kWidth = 80;
constexpr size_t kWidestLeft = 30;

// "  LEFT   RIGHT", RIGHT wrapped below itself.
std::string entry(const std::string& left, const std::string& right,
                  size_t column) {
  std::string line = "  " + left;
  if (display_width(line) + 2 > column) {
    line += "\n" + std::string(column, ' ');
  } else {
    line.append(column - display_width(line), ' ');
  }
  std::string out;
  size_t width = column;
  std::istringstream words(right);
  for (std::string word; words >> word;) {
    if (width > column && width + 1 + display_width(word) > kWidth) {
      out += line + "\n";
      line = std::string(column, ' ');
      width = column;
    }
    if (width > column) line += ' ';
    width += display_width(word) + (width > column ? 1 : 0);
    line += word;
  }
  return out + line + "\n";
}

std::string left_of(const OptionText& option) {
  std::string text = option.short_name.empty() ? "    " : option.short_name;
  if (!option.long_name.empty()) {
    text += (option.short_name.empty() ? "" : ", ") + option.long_name;
  }
  return option.value.empty() ? text : text + " " + option.value;
}

std::string options_text(const Options& options) {
  std::vector<std::pair<std::string, std::string>> rows;
  size_t column = 0;
  for (const auto& option : options.options()) {
    const OptionText text = describe(*option);
    const std::string ending = text.default_value.empty()
                                   ? ""
                                   : " (default: " + text.default_value + ")";
    rows.emplace_back(left_of(text), text.description + ending);
    column = std::max(
        column, std::min(display_width(rows.back().first) + 4, kWidestLeft));
  }
  std::string out;
  for (const auto& [left, right] : rows) out += entry(left, right, column);
  return out;
}

}  // namespace

OptionText describe(const po::option_description& option) {
  OptionText text;
  const std::string brief = option.canonical_display_name(
      po::command_line_style::allow_dash_for_short);
  if (brief.starts_with("-")) text.short_name = brief;
  const std::string full =
      option.canonical_display_name(po::command_line_style::allow_long);
  if (full.starts_with("--")) text.long_name = full;
  // Boost gives "VALUE (=default)".
  const std::string value = option.format_parameter();
  const size_t split = value.find(" (=");
  text.value = value.substr(0, split);
  if (split != std::string::npos) {
    text.default_value = value.substr(split + 3);
    text.default_value.pop_back();
  }
  text.description = option.description();
  return text;
}

std::string overview_help(const Options& globals, const std::string& group) {
  const std::string prefix = group.empty() ? "" : group + " ";
  std::string out = "usage: backstitch [OPTION…] " +
                    (group.empty() ? "COMMAND" : group + " COMMAND") +
                    " [ARGUMENT…]\n\n";
  if (group.empty()) {
    out +=
        "Back up virtual machines, and use the backups as live disk images."
        "\n\n";
  }
  out += "Commands:\n";
  size_t column = 0;
  for (const auto& command : commands()) {
    column = std::max(column, command.name.size() + 4);
  }
  for (const auto& command : commands()) {
    if (!command.name.starts_with(prefix)) continue;
    out += entry(command.name, command.summary, column);
  }
  return out + "\nOptions, before or after the command:\n" +
         options_text(globals) +
         "\n'backstitch COMMAND --help' and backstitch(1) say more.\n";
}

std::string command_help(const Command& command) {
  std::string out = "usage: backstitch " + command.name;
  if (!command.options.options().empty()) out += " [OPTION…]";
  if (!command.arguments.empty()) out += " " + command.arguments;
  out += "\n\n" + command.summary + "\n";
  if (!command.options.options().empty()) {
    out += "\nOptions:\n" + options_text(command.options);
  }
  return out + "\n'backstitch --help' lists the options of all commands.\n";
}

}  // namespace backstitch::cli
