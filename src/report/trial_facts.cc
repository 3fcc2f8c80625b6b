#include "src/report/trial_facts.h"

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/recovery/trial_report.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Verification* last_trial(const MachineFacts& machine) {
  const Verification* last = nullptr;
  for (const PointFacts& point : machine.points) {
    for (const Verification& one : point.verifications) {
      if (one.kind == "boot" && (last == nullptr || last->time < one.time))
        last = &one;
    }
  }
  return last;
}

// A report that was moved is still in the state directory, unless that was
// about an older trial of the point.
json report_of(const fs::path& directory) {
  try {
    return json::parse(read_text(directory / "report.json"), nullptr, false);
  } catch (const Error&) {
    return json::value_t::discarded;
  }
}

std::string text_in(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? *found : json("");
}

void add_screenshot(TrialFacts& trial, const fs::path& directory) {
  try {
    const std::string png = read_text(directory / "screenshot.png");
    const auto bytes = std::as_bytes(std::span(png));
    trial.screenshot.assign(bytes.begin(), bytes.end());
  } catch (const Error& error) {
    if (trial.no_screenshot.empty()) trial.no_screenshot = error.what();
  }
}

}  // namespace

std::optional<TrialFacts> trial_facts(const std::string& repository_id,
                                      const MachineFacts& machine) {
  const Verification* last = last_trial(machine);
  if (last == nullptr) return std::nullopt;
  TrialFacts trial;
  trial.verification = *last;
  for (const fs::path& directory :
       {fs::path(last->report),
        trial_directory(repository_id, machine.name, last->point)}) {
    const json document = report_of(directory);
    if (!document.is_object() || !document.contains("up") ||
        document["up"] != last->good) {
      continue;
    }
    trial.reason = text_in(document, "reason");
    trial.no_screenshot = text_in(document, "no_screenshot");
    add_screenshot(trial, directory);
    return trial;
  }
  trial.no_screenshot = "its report is gone";
  return trial;
}

}  // namespace backstitch::engine
