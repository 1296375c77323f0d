// path.hpp: names a place in a document the way people write it: `messages[3].content[0].type`.
#pragma once

#include <span>
#include <string_view>

namespace flexd::json {

// path_of is the path of the value that begins at `at`, which points into `document` (good JSON). A
// place inside a value, such as the inside of a string, has that value's path. Cut at the end of
// `out` if it does not fit; empty for the document itself. Names stand as they are escaped.
std::string_view path_of(std::string_view document, const char* at, std::span<char> out);

}  // namespace flexd::json
