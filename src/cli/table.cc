#include "src/cli/table.h"

#include <algorithm>
#include <cassert>
#include <cwchar>

#include "format/repository/names.h"

namespace backstitch::cli {

namespace {

void append(std::string& line, const std::string& cell, size_t width,
            Table::Align align) {
  const size_t own = display_width(cell);
  const std::string fill(width > own ? width - own : 0, ' ');
  line += align == Table::Align::kRight ? fill + cell : cell + fill;
}

}  // namespace

size_t display_width(const std::string& text) {
  std::mbstate_t state{};
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    wchar_t letter = 0;
    const size_t used =
        std::mbrtowc(&letter, text.data() + at, text.size() - at, &state);
    if (used == 0 || used > text.size() - at) {
      // In the C locale UTF-8 is still what terminals show: its continuation
      // bytes take no cell.
      width += (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80 ? 1 : 0;
      ++at;
      state = {};
      continue;
    }
    width += static_cast<size_t>(std::max(wcwidth(letter), 0));
    at += used;
  }
  return width;
}

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (auto& cell : cells) cell = format::printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::to_string() const {
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (size_t i = 0; i < columns_.size(); ++i) {
    titles.push_back(columns_[i].title);
    widths.push_back(display_width(titles.back()));
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i != 0) line += "  ";
      append(line, cells[i], widths[i], columns_[i].align);
    }
    out += line.erase(line.find_last_not_of(' ') + 1) + "\n";
  };
  add_line(titles);
  for (const auto& row : rows_) add_line(row);
  return out;
}

}  // namespace backstitch::cli
