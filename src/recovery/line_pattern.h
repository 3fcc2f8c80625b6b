// A regular expression as grep -E takes it.
#pragma once

#include <regex.h>

#include <memory>
#include <string>

namespace backstitch::engine {

class LinePattern {
 public:
  // Throws kUsage when it is none.
  explicit LinePattern(const std::string& expression);
  // Whether it matches somewhere in the line. Thread-safe.
  bool matches(const std::string& line) const;

 private:
  struct Free {
    void operator()(regex_t* compiled) const;
  };
  std::unique_ptr<regex_t, Free> compiled_;
};

}  // namespace backstitch::engine
