// Pages that need nothing but themselves: no script, no file beside them, no
// network.
#pragma once

#include <string>
#include <string_view>

#include "format/base/bytes.h"

namespace backstitch::engine {

// Text from anywhere as content of an element, or of an attribute in double or
// single quotes. Control characters become \xNN.
std::string html_escaped(std::string_view text);

// The same for a name: its direction of writing stays within it.
std::string html_name(std::string_view name);

// "data:image/png;base64,…".
std::string png_url(ByteView png);

// A whole page around `body`. `title` is text. `style` follows what all pages
// have: the variables --fg, --bg, --muted, --line, --good, --bad and --warn, by
// light and by dark, body, h1, h2, dl, img and pre. The page's own policy
// forbids the browser all that is not in it.
std::string html_page(std::string_view title, std::string_view style,
                      std::string_view body);

}  // namespace backstitch::engine
