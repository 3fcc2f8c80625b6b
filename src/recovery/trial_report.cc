#include "src/recovery/trial_report.h"

#include <fmt/format.h>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/repository/names.h"
#include "src/base/html.h"
#include "src/base/replace_file.h"
#include "src/base/state.h"
#include "src/recovery/console_log.h"
#include "src/recovery/session.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr char kStyle[] = R"css(
.up,.down{padding:.75rem 1rem;border-radius:.5rem;font-weight:600;color:#fff}
.up{background:#17682f}.down{background:#a3172b}
)css";

const char* word_of(TrialEvidence evidence) {
  switch (evidence) {
    case TrialEvidence::kNone:
      return "none";
    case TrialEvidence::kConsole:
      return "console";
    case TrialEvidence::kAgent:
      return "agent";
    case TrialEvidence::kRunning:
      return "running";
  }
  return "none";
}

std::string seconds_of(const ordered_json& milliseconds) {
  return fmt::format("{:.1f} s", milliseconds.get<double>() / 1000);
}

std::string facts_of(const ordered_json& document) {
  std::string out = "<dl>\n";
  const auto row = [&](const char* name, const std::string& value) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html_escaped(value));
  };
  row("Machine", document.at("domain"));
  row("Point", fmt::format("{}, of {}", document.at("point").get<uint32_t>(),
                           document.at("point_time").get<std::string>()));
  row("Repository", document.at("repository"));
  row("Verified", document.at("verified"));
  if (document.at("start_ms") != 0)
    row("Started within", seconds_of(document.at("start_ms")));
  if (document.at("wait_ms") != 0)
    row("Watched for", seconds_of(document.at("wait_ms")));
  if (!document.at("expect").is_null()) row("Expected", document.at("expect"));
  for (const auto& note : document.at("notes")) row("Note", note);
  return out + "</dl>\n";
}

}  // namespace

fs::path trial_directory(const std::string& repository_id,
                         const std::string& domain, uint32_t point) {
  return state_directory() / "verified" / repository_id / domain /
         format::point_name(point);
}

ordered_json trial_document(const format::Repository& repository,
                            const format::Point& point,
                            const TrialRequest& request,
                            const TrialResult& result) {
  const format::Manifest& manifest = point.manifest();
  auto consoles = ordered_json::array();
  for (const TrialConsole& console : result.consoles)
    consoles.push_back({{"name", console.name}, {"tail", console.tail}});
  const auto or_null = [](const std::string& text) {
    return text.empty() ? ordered_json() : ordered_json(text);
  };
  return {{"repository", fs::absolute(repository.path()).string()},
          {"repository_id", repository.id()},
          {"domain", manifest.domain},
          {"point", manifest.point},
          {"point_time", format::format_time(manifest.time)},
          {"verified", format::format_time(format::now())},
          {"up", result.up()},
          {"evidence", word_of(result.evidence)},
          {"reason", plain_text(result.reason)},
          {"expect", or_null(request.expect)},
          {"timeout_s", request.limit.count()},
          {"start_ms", result.start.count()},
          {"wait_ms", result.wait.count()},
          {"notes", result.notes},
          {"consoles", consoles},
          {"screenshot", result.screenshot.empty()
                             ? ordered_json()
                             : ordered_json("screenshot.png")},
          {"no_screenshot", or_null(result.no_screenshot)},
          {"tools",
           {{"backstitch", BACKSTITCH_VERSION},
            {"hypervisor", result.hypervisor}}}};
}

std::string trial_page(const ordered_json& document, ByteView screenshot) {
  const bool up = document.at("up");
  const std::string title = fmt::format(
      "{}@{} {}", document.at("domain").get<std::string>(),
      document.at("point").get<uint32_t>(), up ? "came up" : "did not come up");
  std::string body =
      fmt::format("<h1>{}</h1>\n<p class=\"{}\">{}</p>\n", html_escaped(title),
                  up ? "up" : "down",
                  html_escaped(document.at("reason").get<std::string>()));
  body += facts_of(document) + "<h2>Screen</h2>\n";
  if (screenshot.empty()) {
    body += "<p>There is no screenshot: " +
            html_escaped(document.value("no_screenshot", "")) + "</p>\n";
  } else {
    body += "<img alt=\"The machine's screen\" src=\"" + png_url(screenshot) +
            "\">\n";
  }
  for (const auto& console : document.at("consoles")) {
    body += fmt::format("<h2>{}</h2>\n<pre>{}</pre>\n",
                        html_escaped(console.at("name").get<std::string>()),
                        html_escaped(console.at("tail").get<std::string>()));
  }
  return html_page(title, kStyle, body);
}

void save_trial(const fs::path& directory, const ordered_json& document,
                ByteView screenshot) {
  std::error_code code;
  fs::create_directories(directory, code);
  if (code)
    throw system_error(code.value(), "create directory " + directory.string());
  if (screenshot.empty()) {
    remove_tree(directory / "screenshot.png");
  } else {
    replace_file(
        directory / "screenshot.png",
        {reinterpret_cast<const char*>(screenshot.data()), screenshot.size()});
  }
  replace_file(directory / "report.html", trial_page(document, screenshot));
  replace_file(
      directory / "report.json",
      document.dump(2, ' ', false, ordered_json::error_handler_t::replace) +
          "\n");
  sync_directory(directory);
}

}  // namespace backstitch::engine
