// backstitch doctor: what on this host stands in the way, and what mends it.
#include "src/doctor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/repository/names.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/config/config.h"

namespace backstitch::cli {

namespace {

using engine::Finding;

const char* grade_word(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::kGood:
      return "good";
    case Finding::Grade::kNote:
      return "note";
    case Finding::Grade::kProblem:
      return "problem";
  }
  return "";
}

void report(const std::vector<Finding>& findings, size_t problems) {
  for (const Finding& finding : findings) {
    print(fmt::format("{:<8} {}: {}\n", grade_word(finding.grade),
                      format::printable(finding.check),
                      format::printable(finding.what)));
    if (!finding.remedy.empty()) {
      print(fmt::format("         mend it with: {}\n",
                        format::printable(finding.remedy)));
    }
  }
  print(problems == 0 ? "no problem found\n"
                      : count_of(problems, "problem") + " found\n");
}

int run(const Globals& globals, const Values&) {
  const auto findings = engine::examine_host(
      {globals.repository, globals.connect, engine::config_path().string()});
  const auto problems = static_cast<size_t>(
      std::ranges::count(findings, Finding::Grade::kProblem, &Finding::grade));
  if (globals.json) {
    auto list = nlohmann::json::array();
    for (const Finding& finding : findings) {
      list.push_back({{"grade", grade_word(finding.grade)},
                      {"check", finding.check},
                      {"what", finding.what},
                      {"remedy", finding.remedy}});
    }
    print_json({{"findings", list}, {"problems", problems}});
  } else {
    report(findings, problems);
  }
  return problems == 0 ? kExitOk : 1;
}

}  // namespace

Command doctor_command() {
  return {"doctor", "", "Find what stands in the way, and how to mend it.",
          {},       {}, run};
}

}  // namespace backstitch::cli
