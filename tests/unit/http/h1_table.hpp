// h1_table.hpp: reads tests/conformance/h1.tsv. Its first lines say what the columns mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flexd::http {

struct H1Case {
  std::string id;
  std::string kind;
  std::string bytes;  // unescaped
  std::string expected;
};

// load_h1_cases reads the table from the directory that FLEXD_CONFORMANCE_DIR names. A line that
// does not parse, or an id that comes twice, ends the program with a message.
std::vector<H1Case> load_h1_cases();

// split_words cuts a text at single spaces.
std::vector<std::string> split_words(std::string_view text);

}  // namespace flexd::http
