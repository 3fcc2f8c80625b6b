#include "src/recovery/line_pattern.h"

#include <array>

#include "format/base/error.h"

namespace backstitch::engine {

void LinePattern::Free::operator()(regex_t* compiled) const {
  ::regfree(compiled);
  std::default_delete<regex_t>()(compiled);
}

LinePattern::LinePattern(const std::string& expression) {
  auto fresh = std::make_unique<regex_t>();
  const int code =
      ::regcomp(fresh.get(), expression.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code != 0) {
    std::array<char, 256> why{};
    ::regerror(code, fresh.get(), why.data(), why.size());
    throw Error(ErrorKind::kUsage,
                "'" + expression + "' is no regular expression: " + why.data());
  }
  compiled_.reset(fresh.release());
}

bool LinePattern::matches(const std::string& line) const {
  return ::regexec(compiled_.get(), line.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace backstitch::engine
