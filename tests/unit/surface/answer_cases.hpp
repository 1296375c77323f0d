// answer_cases.hpp: reads the tables of translated answers, tests/conformance/translation.
//
// answer_words.txt says how they are written.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/errors/dialect.hpp"
#include "flexd/errors/render.hpp"

namespace flexd::surface {

// AnswerStep is one event of a provider and what the caller gets of it at once.
struct AnswerStep {
  std::string event;  // the data of its frame, or a whole object
  std::string expected;
};

struct AnswerCase {
  std::string id;
  errors::Dialect dialect = errors::Dialect::responses;
  errors::Provider provider = errors::Provider::openai;
  bool stream = false;  // the caller asked for one
  bool whole = false;   // the provider sends one object
  std::string tier;
  std::string request = "{}";
  std::vector<AnswerStep> steps;
  // open is the number that the next event would have, of a stream that did not end.
  std::optional<uint64_t> open;
  bool refused = false;  // what the provider sends is no answer
};

// Words are the abbreviations of the tables: name and text, in which $1 to $9 are arguments.
class Words {
 public:
  void define(const std::string& name, const std::string& text) {
    REQUIRE_MESSAGE(texts_.emplace(name, text).second, name);
  }

  // expanded replaces every $name and $name<argument|...> by its text.
  std::string expanded(std::string_view text) const {
    std::string out;
    while (!text.empty()) {
      const size_t dollar = text.find('$');
      out += text.substr(0, dollar);
      if (dollar == std::string_view::npos) break;
      text.remove_prefix(dollar + 1);
      size_t size = 0;
      while (size < text.size() && text[size] >= 'a' && text[size] <= 'z') ++size;
      const auto found = texts_.find(std::string(text.substr(0, size)));
      REQUIRE_MESSAGE(found != texts_.end(), text.substr(0, size + 1));
      text.remove_prefix(size);
      out += expanded(with_arguments(found->second, take_arguments(text)));
    }
    return out;
  }

 private:
  // take_arguments takes <a|b> from the front. Words in them may have arguments of their own.
  static std::vector<std::string> take_arguments(std::string_view& text) {
    std::vector<std::string> arguments;
    if (!text.starts_with('<')) return arguments;
    size_t depth = 0;
    size_t begin = 1;
    for (size_t at = 0;; ++at) {
      REQUIRE(at < text.size());
      if (text[at] == '<') ++depth;
      if (text[at] == '>') --depth;
      if (depth != 0 && !(depth == 1 && text[at] == '|')) continue;
      arguments.emplace_back(text.substr(begin, at - begin));
      begin = at + 1;
      if (depth != 0) continue;
      text.remove_prefix(begin);
      return arguments;
    }
  }

  static std::string with_arguments(std::string_view text,
                                    const std::vector<std::string>& arguments) {
    std::string out;
    for (size_t at = 0; at < text.size(); ++at) {
      const bool place =
          text[at] == '$' && at + 1 < text.size() && text[at + 1] >= '1' && text[at + 1] <= '9';
      if (!place) {
        out += text[at];
        continue;
      }
      const auto number = static_cast<size_t>(text[++at] - '0');
      if (number <= arguments.size()) out += arguments[number - 1];
    }
    return out;
  }

  std::map<std::string, std::string> texts_;
};

inline errors::Dialect dialect_named(std::string_view word) {
  if (word == "chat") return errors::Dialect::chat;
  if (word == "interactions") return errors::Dialect::interactions;
  if (word == "messages") return errors::Dialect::messages;
  REQUIRE(word == "responses");
  return errors::Dialect::responses;
}

inline errors::Provider provider_named(std::string_view word) {
  using errors::Provider;
  for (const Provider provider : {Provider::openai, Provider::gemini, Provider::anthropic}) {
    if (errors::provider_word(provider) == word) return provider;
  }
  FAIL("no such provider");
  return Provider::openai;
}

// frame_of is a frame as the tables write it, "NAME DATA" or "DATA", as it is on the wire.
inline std::string frame_of(const std::string& line) {
  const size_t space = line.find(' ');
  const bool named = line[0] >= 'a' && line[0] <= 'z' && space != std::string::npos;
  if (!named) return "data: " + line + "\n\n";
  return "event: " + line.substr(0, space) + "\ndata: " + line.substr(space + 1) + "\n\n";
}

inline AnswerCase answer_case_of(const std::string& line) {
  std::istringstream head(line);
  AnswerCase one;
  std::string dialect;
  std::string provider;
  std::string kind;
  head >> one.id >> dialect >> provider >> kind;
  one.dialect = dialect_named(dialect);
  one.provider = provider_named(provider);
  REQUIRE((kind == "stream" || kind == "object"));
  one.stream = kind == "stream";
  head >> one.tier;
  return one;
}

// add_line adds a line of a case; false if it is none.
inline bool add_line(AnswerCase& one, const std::string& line, const Words& words) {
  if (line.size() < 2 || line[1] != ' ') return false;
  const std::string text = words.expanded(line.substr(2));
  switch (line[0]) {
    case '?':
      one.request = text;
      return true;
    case '<':
      one.whole = true;
      [[fallthrough]];
    case '>':
      one.steps.push_back({.event = text, .expected = {}});
      return true;
    case '=':
      REQUIRE(!one.steps.empty());
      one.steps.back().expected += one.stream ? frame_of(text) : text;
      return true;
    case '!':
      one.refused = text == "refused";
      if (!one.refused) one.open = std::strtoull(text.c_str(), nullptr, 10);
      return true;
    default:
      return false;
  }
}

// read_answer_cases reads a table. Words of its own hold for the rest of it.
inline std::vector<AnswerCase> read_answer_cases(const std::string& directory, Words& words,
                                                 const std::string& file) {
  std::ifstream table(directory + "/translation/" + file);
  REQUIRE(table.is_open());
  std::vector<AnswerCase> cases;
  for (std::string line; std::getline(table, line);) {
    CAPTURE(line);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("let ")) {
      const size_t equals = line.find(" = ");
      REQUIRE(equals != std::string::npos);
      words.define(line.substr(4, equals - 4), line.substr(equals + 3));
    } else if (cases.empty() || !add_line(cases.back(), line, words)) {
      cases.push_back(answer_case_of(line));
    }
  }
  return cases;
}

// with_blobs_read replaces each wrapped blob by what is in it: gw1.PROVIDER.{"m":...}.
inline std::string with_blobs_read(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  for (;;) {
    const size_t mark = text.find("\"gw1.");
    const size_t begin = mark == std::string_view::npos ? mark : text.find('.', mark + 5);
    if (begin == std::string_view::npos) return out + std::string(text);
    out += text.substr(0, begin + 1);
    text.remove_prefix(begin + 1);
    uint32_t bits = 0;
    unsigned count = 0;
    while (!text.empty() && kDigits.find(text.front()) != std::string_view::npos) {
      bits = (bits << 6U) | static_cast<uint32_t>(kDigits.find(text.front()));
      count += 6;
      if (count >= 8) {
        count -= 8;
        out += static_cast<char>((bits >> count) & 0xFFU);
      }
      text.remove_prefix(1);
    }
  }
}

}  // namespace flexd::surface
