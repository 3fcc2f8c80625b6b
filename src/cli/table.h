// Text in columns, for people.
#pragma once

#include <string>
#include <vector>

namespace backstitch::cli {

// How many terminal cells a string takes; bytes that are no character of the
// locale count one each.
size_t display_width(const std::string& text);

class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns. What would move the cursor is made
  // visible (format::printable).
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // A heading and the rows, two spaces between columns, nothing at line ends.
  std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace backstitch::cli
