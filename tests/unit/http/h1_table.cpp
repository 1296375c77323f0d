#include "h1_table.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>

namespace flexd::http {
namespace {

[[noreturn]] void bad_table(const std::string& why) {
  std::fprintf(stderr, "h1.tsv: %s\n", why.c_str());
  std::abort();
}

std::vector<std::string> split_at(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string unescape(std::string_view text);

// take_repeat reads "COUNT*TEXT}" and returns the text so often.
std::string take_repeat(std::string_view& text) {
  const size_t star = text.find('*');
  const size_t close = text.find('}');
  if (star == std::string_view::npos || close == std::string_view::npos || star > close) {
    bad_table("a repeat without an end: " + std::string(text));
  }
  const int count = std::atoi(std::string(text.substr(0, star)).c_str());
  const std::string once = unescape(text.substr(star + 1, close - star - 1));
  text.remove_prefix(close + 1);
  std::string all;
  for (int i = 0; i < count; ++i) all += once;
  return all;
}

std::string unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') {
      out += c;
      continue;
    }
    if (text.empty()) bad_table("a backslash at the end");
    const char escape = text.front();
    text.remove_prefix(1);
    switch (escape) {
      case 'r':
        out += '\r';
        break;
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '\\':
        out += '\\';
        break;
      case 'x':
        out += static_cast<char>(std::strtol(std::string(text.substr(0, 2)).c_str(), nullptr, 16));
        text.remove_prefix(2);
        break;
      case '{':
        out += take_repeat(text);
        break;
      default:
        bad_table(std::string("an unknown escape: ") + escape);
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  return split_at(text, ' ');
}

std::vector<H1Case> load_h1_cases() {
  const char* directory = std::getenv("FLEXD_CONFORMANCE_DIR");
  if (directory == nullptr) bad_table("FLEXD_CONFORMANCE_DIR is not set");
  std::ifstream file(std::string(directory) + "/h1.tsv");
  if (!file) bad_table(std::string("cannot be read from ") + directory);
  std::vector<H1Case> cases;
  std::set<std::string> ids;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> columns = split_at(line, '\t');
    if (columns.size() != 5) bad_table("not five columns: " + line);
    if (!ids.insert(columns[0]).second) bad_table("an id comes twice: " + columns[0]);
    cases.push_back({columns[0], columns[1], unescape(columns[2]), columns[3]});
  }
  return cases;
}

}  // namespace flexd::http
