#include "src/recovery/trial_report.h"

#include <fmt/format.h>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/repository/names.h"
#include "src/base/state.h"
#include "src/recovery/console_log.h"
#include "src/recovery/session.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr char kStyle[] = R"css(
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;
padding:1rem;color:#1c1c1c;background:#fff;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
.up,.down{padding:.75rem 1rem;border-radius:.5rem;font-weight:600;color:#fff}
.up{background:#17682f}.down{background:#a3172b}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}
dt{color:#595959}dd{margin:0}img{max-width:100%;height:auto;border:1px solid #888}
pre{background:#111;color:#eee;padding:.75rem;border-radius:.5rem;font-size:.8rem;
white-space:pre-wrap;max-height:30rem;overflow:auto}
@media(prefers-color-scheme:dark){body{background:#16181b;color:#e8e8e8}
dt{color:#a8a8a8}}
)css";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(ByteView bytes) {
  constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i) {
      three <<= 8;
      if (i < count) three |= std::to_integer<uint32_t>(bytes[at + i]);
    }
    for (size_t i = 0; i < 4; ++i)
      out += i <= count ? kDigits[three >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

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
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escaped(value));
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

void replace_file(const fs::path& path, std::string_view content) {
  const fs::path fresh = path.string() + ".new";
  remove_tree(fresh);
  write_new_file(fresh, content, 0644);
  rename_path(fresh, path, true);
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
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
      "'none'; img-src data:; style-src 'unsafe-inline'\">\n"
      "<title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n"
      "<p class=\"{2}\">{3}</p>\n",
      escaped(title), kStyle, up ? "up" : "down",
      escaped(document.at("reason")));
  page += facts_of(document) + "<h2>Screen</h2>\n";
  if (screenshot.empty()) {
    page += "<p>There is no screenshot: " +
            escaped(document.value("no_screenshot", "")) + "</p>\n";
  } else {
    page += "<img alt=\"The machine's screen\" src=\"data:image/png;base64," +
            base64(screenshot) + "\">\n";
  }
  for (const auto& console : document.at("consoles")) {
    page +=
        fmt::format("<h2>{}</h2>\n<pre>{}</pre>\n", escaped(console.at("name")),
                    escaped(console.at("tail")));
  }
  return page + "</body></html>\n";
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
