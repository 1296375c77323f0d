#include "table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using flexd::ctl::display_width;
using flexd::ctl::Fields;
using flexd::ctl::kTableColumnsMax;
using flexd::ctl::printable;
using flexd::ctl::shortened;
using flexd::ctl::Table;
using enum flexd::ctl::Table::Align;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

size_t widest(const std::string& text) {
  size_t width = 0;
  for (const std::string& line : lines_of(text)) width = std::max(width, display_width(line));
  return width;
}

}  // namespace

TEST_CASE("columns are aligned, and no line ends in spaces") {
  Table table({{"name"}, {"count", right}, {"note"}});
  table.add({"a", "7", ""});
  table.add({"longer", "1234", "x"});
  table.add_total({"total", "1241", ""});
  CHECK(table.text() ==
        "name    count  note\n"
        "a           7\n"
        "longer   1234  x\n"
        "-------------------\n"
        "total    1241\n");
}

TEST_CASE("a table without rows is its titles") {
  const Table table({{"name"}, {"count", right}});
  CHECK(table.empty());
  CHECK(table.text() == "name  count\n");
}

TEST_CASE("the widest texts are shortened until the table fits") {
  Table table({{"id", whole}, {"name"}, {"note"}, {"n", right}});
  table.add({"key_0123456789ab", std::string(80, 'x'), std::string(60, 'y'), "123456"});
  const std::string text = table.text();
  CHECK(widest(text) == kTableColumnsMax);
  CHECK(text.find("key_0123456789ab") != std::string::npos);
  CHECK(text.find("123456") != std::string::npos);
  CHECK(text.find("x…") != std::string::npos);
  CHECK(text.find("y…") != std::string::npos);
}

TEST_CASE("a table that fits exactly is left alone, and one column more is not") {
  Table fits({{"a"}, {"b"}});
  fits.add({std::string(49, 'x'), std::string(49, 'y')});
  CHECK(widest(fits.text()) == kTableColumnsMax);
  CHECK(fits.text().find("…") == std::string::npos);
  Table not_quite({{"a"}, {"b"}});
  not_quite.add({std::string(50, 'x'), std::string(49, 'y')});
  CHECK(widest(not_quite.text()) == kTableColumnsMax);
  CHECK(not_quite.text().find("x…") != std::string::npos);
}

TEST_CASE("what cannot be shortened goes on further lines") {
  std::vector<Table::Column> columns;
  std::vector<std::string> cells;
  for (int i = 0; i < 12; ++i) {
    columns.push_back({"column", right});
    cells.push_back(std::string(18, static_cast<char>('a' + i)));
  }
  Table table(columns);
  table.add(cells);
  table.add_total(cells);
  const std::string text = table.text();
  CHECK(widest(text) <= kTableColumnsMax);
  for (const std::string& cell : cells) CHECK(text.find(cell) != std::string::npos);
  const auto lines = lines_of(text);
  CHECK(lines.size() == 3 * 3 + 1);
  CHECK(lines[1].starts_with("    "));
}

TEST_CASE("one cell wider than a line") {
  Table table({{"a", right}, {"b", right}});
  table.add({std::string(300, '1'), std::string(300, '2')});
  CHECK(widest(table.text()) <= kTableColumnsMax);
}

TEST_CASE("widths are those of a terminal") {
  CHECK(display_width("") == 0);
  CHECK(display_width("abc") == 3);
  CHECK(display_width("äöü") == 3);
  CHECK(display_width("a\u0301") == 1);
  CHECK(display_width("日本") == 4);
  CHECK(display_width("😀") == 2);
  Table table({{"name"}, {"n", right}});
  table.add({"日本", "1"});
  table.add({"abcde", "2"});
  const auto lines = lines_of(table.text());
  CHECK(display_width(lines[1]) == display_width(lines[2]));
}

TEST_CASE("shortening keeps whole characters") {
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdefg", 6) == "abcde…");
  CHECK(shortened("日本語", 6) == "日本語");
  CHECK(shortened("日本語", 5) == "日本…");
  CHECK(shortened("日本語", 4) == "日…");
  CHECK(shortened("ab", 1) == "…");
  CHECK(shortened("ab", 0).empty());
}

TEST_CASE("nothing in a cell commands the terminal") {
  CHECK(printable("plain äß 日") == "plain äß 日");
  CHECK(printable("a\x1b[31mb") == "a?[31mb");
  CHECK(printable(std::string_view("\0\t\n\r\x7f", 5)) == "?????");
  CHECK(printable("\xc2\x9b"
                  "31m") == "?31m");  // C1: control sequence introducer
  CHECK(printable("\xe2\x80\xae"
                  "abc") == "?abc");                                   // right-to-left override
  CHECK(printable("\xff\xc3") == "??");                                // not UTF-8
  CHECK(printable("\xed\xa0\x80").find('\xed') == std::string::npos);  // half a surrogate pair
  Table table({{"model"}});
  table.add({"evil\x1b]0;title\x07\n"});
  CHECK(table.text() == "model\nevil?]0;title??\n");
  Fields fields;
  fields.add("name", "a\nb");
  CHECK(fields.text() == "name  a?b\n");
}

TEST_CASE("fields are aligned and shortened") {
  Fields fields;
  fields.add("a", "1");
  fields.add("longer", std::string(200, 'x'));
  fields.add("none", "");
  const std::string text = fields.text();
  CHECK(text.starts_with("a       1\nlonger  xxx"));
  CHECK(text.ends_with("…\nnone\n"));
  CHECK(widest(text) == kTableColumnsMax);
}
