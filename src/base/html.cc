#include "src/base/html.h"

#include <algorithm>
#include <cstdint>

#include "format/repository/names.h"

namespace backstitch::engine {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--fg:#1b1e23;--bg:#fff;--muted:#5b626c;
--line:#e1e4e8;--good:#17682f;--bad:#a3172b;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--fg:#e6e8eb;--bg:#14171b;
--muted:#9aa3ad;--line:#2b3138;--good:#63c283;--bad:#ff8c93;--warn:#e3b25c}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;
padding:1rem;color:var(--fg);background:var(--bg);overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}
dt{color:var(--muted)}dd{margin:0}
img{max-width:100%;height:auto;border:1px solid var(--line)}
pre{background:#111;color:#eee;padding:.75rem;border-radius:.5rem;
font-size:.8rem;white-space:pre-wrap;max-height:30rem;overflow:auto}
)css";

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

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  std::string line;
  const auto end_line = [&] {
    for (const char c : format::printable(line)) {
      const std::string_view instead = entity(c);
      instead.empty() ? out += c : out += instead;
    }
    line.clear();
  };
  for (const char c : text) {
    if (c != '\n' && c != '\t') {
      line += c;
      continue;
    }
    end_line();
    out += c;
  }
  end_line();
  return out;
}

std::string html_name(std::string_view name) {
  return "<bdi>" + html_escaped(name) + "</bdi>";
}

std::string png_url(ByteView png) {
  return "data:image/png;base64," + base64(png);
}

std::string html_page(std::string_view title, std::string_view style,
                      std::string_view body) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
      "'none'; img-src data:; style-src 'unsafe-inline'\">\n<title>";
  page += html_escaped(title);
  page += "</title><style>";
  page += kStyle;
  page += style;
  page += "</style></head><body>\n";
  page += body;
  return page + "</body></html>\n";
}

}  // namespace backstitch::engine
