#include "flexd/json/edit.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "flexd/json/cursor.hpp"

namespace flexd::json {
namespace {

constexpr Names kNames = {"model", "stream", "start_within", "service_tier", "provider", "cache"};
enum : size_t { kModel, kStream, kStartWithin, kServiceTier, kProvider, kCache };
constexpr std::string_view kFlex = "\"service_tier\":\"flex\"";

std::string edited(std::string_view text, const SpliceList& splices) {
  std::string out;
  SplicedReader reader(text, splices);
  while (reader.size_left() > 0) out += reader.next(SIZE_MAX);
  return out;
}

// with applies what `make` asks for to a document.
template <typename Make>
std::string with(std::string_view text, Make make) {
  Fields fields;
  REQUIRE(find(text, kNames, fields).has_value());
  Edit edit(fields);
  make(edit, fields);
  std::string out = edited(text, edit.splices());
  CHECK(validate(out) == Type::kObject);
  return out;
}

std::string without(std::string_view text, std::initializer_list<size_t> removed) {
  return with(text, [&](Edit& edit, const Fields&) {
    for (const size_t field : removed) edit.remove(field);
  });
}

// as_flex is what the flex attempt of a race sends.
std::string as_flex(std::string_view text) {
  return with(text, [](Edit& edit, const Fields& fields) {
    if (fields.has(kStartWithin)) {
      edit.replace_member(kStartWithin, kFlex);
      if (fields.has(kServiceTier)) edit.remove(kServiceTier);
    } else if (fields.has(kServiceTier)) {
      edit.replace_member(kServiceTier, kFlex);
    } else {
      edit.insert(kFlex);
    }
    if (fields.has(kStream)) {
      edit.replace_value(kStream, "true");
    } else {
      edit.insert("\"stream\":true");
    }
  });
}

TEST_CASE("one member is removed with one comma") {
  CHECK(without("{\"model\":1}", {kModel}) == "{}");
  CHECK(without("{ \"model\" : 1 }", {kModel}) == "{  }");
  CHECK(without("{\"model\":1,\"x\":2}", {kModel}) == "{\"x\":2}");
  CHECK(without("{\"x\":2,\"model\":1}", {kModel}) == "{\"x\":2}");
  CHECK(without("{\"x\":2,\"model\":1,\"y\":3}", {kModel}) == "{\"x\":2,\"y\":3}");
  CHECK(without("{ \"x\":2 , \"model\":1 , \"y\":3 }", {kModel}) == "{ \"x\":2 ,  \"y\":3 }");
  CHECK(without("{ \"x\":2 , \"model\":1 }", {kModel}) == "{ \"x\":2  }");
}

TEST_CASE("neighbors are removed together") {
  const std::string_view pair = "{\"model\":1,\"stream\":2}";
  CHECK(without(pair, {kModel, kStream}) == "{}");
  CHECK(without(pair, {kStream, kModel}) == "{}");
  CHECK(without("{\"x\":0,\"model\":1,\"stream\":2}", {kModel, kStream}) == "{\"x\":0}");
  CHECK(without("{\"model\":1,\"stream\":2,\"x\":0}", {kStream, kModel}) == "{\"x\":0}");
  CHECK(without("{\"y\":0,\"model\":1,\"stream\":2,\"x\":0}", {kModel, kStream}) ==
        "{\"y\":0,\"x\":0}");
  const std::string_view four = "{\"model\":1,\"stream\":2,\"provider\":3,\"cache\":4}";
  CHECK(without(four, {kModel, kStream, kProvider}) == "{\"cache\":4}");
  CHECK(without(four, {kCache, kProvider, kStream}) == "{\"model\":1}");
  CHECK(without(four, {kModel, kProvider}) == "{\"stream\":2,\"cache\":4}");
  CHECK(without(four, {kStream, kCache}) == "{\"model\":1,\"provider\":3}");
  CHECK(without(four, {kModel, kCache}) == "{\"stream\":2,\"provider\":3}");
  CHECK(without(four, {kProvider, kCache, kModel, kStream}) == "{}");
}

TEST_CASE("a member is removed beside one that is replaced") {
  const auto swap = [](Edit& edit, const Fields&) {
    edit.remove(kModel);
    edit.replace_member(kStream, "\"s\":0");
  };
  CHECK(with("{\"stream\":1,\"model\":2}", swap) == "{\"s\":0}");
  CHECK(with("{\"model\":2,\"stream\":1}", swap) == "{\"s\":0}");
  CHECK(with("{\"model\":2,\"stream\":1,\"x\":3}", swap) == "{\"s\":0,\"x\":3}");
}

TEST_CASE("members are put in at the front") {
  const auto one = [](Edit& edit, const Fields&) { edit.insert("\"a\":1"); };
  CHECK(with("{}", one) == "{\"a\":1}");
  CHECK(with(" { } ", one) == " {\"a\":1 } ");
  CHECK(with("{\"x\":2}", one) == "{\"a\":1,\"x\":2}");
  CHECK(with("{ \"x\":2}", one) == "{\"a\":1, \"x\":2}");
  const auto two_for_one = [](Edit& edit, const Fields&) {
    edit.insert("\"a\":1");
    edit.remove(kModel);
    edit.insert("\"b\":2");
  };
  CHECK(with("{\"model\":0}", two_for_one) == "{\"a\":1,\"b\":2}");
  CHECK(with("{\"model\":0,\"x\":3}", two_for_one) == "{\"a\":1,\"b\":2,\"x\":3}");
}

TEST_CASE("what a race makes of a request") {
  CHECK(as_flex("{\"model\":\"m\",\"start_within\":\"00h-01m-00s\",\"stream\":true}") ==
        "{\"model\":\"m\",\"service_tier\":\"flex\",\"stream\":true}");
  CHECK(as_flex("{\"start_within\":\"00h-01m-00s\",\"service_tier\":null,\"stream\":false}") ==
        "{\"service_tier\":\"flex\",\"stream\":true}");
  CHECK(as_flex("{\"service_tier\":null,\"start_within\":\"00h-01m-00s\",\"stream\":null}") ==
        "{\"service_tier\":\"flex\",\"stream\":true}");
  CHECK(as_flex("{\"service_tier\" : null}") == "{\"stream\":true,\"service_tier\":\"flex\"}");
  CHECK(as_flex("{\"model\":\"m\"}") ==
        "{\"service_tier\":\"flex\",\"stream\":true,\"model\":\"m\"}");
  CHECK(as_flex("{}") == "{\"service_tier\":\"flex\",\"stream\":true}");
  CHECK(as_flex("{\"st\\u0061rt_within\":\"x\",\"x\":{\"stream\":0,\"start_within\":1}}") ==
        "{\"stream\":true,\"service_tier\":\"flex\",\"x\":{\"stream\":0,\"start_within\":1}}");
}

// A member of a generated document and what the edit does to it.
struct Piece {
  size_t field = SIZE_MAX;  // SIZE_MAX: not on the list
  std::string name;
  std::string value;
};

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  size_t below(size_t limit) { return random_() % limit; }
  std::string space() {
    static constexpr std::string_view kSpaces[] = {"", "", "", " ", "\n  ", "\t", "\r\n", "    "};
    return std::string(kSpaces[below(std::size(kSpaces))]);
  }
  std::string value(int depth) {
    static constexpr std::string_view kScalars[] = {"null",
                                                    "true",
                                                    "-1.5e3",
                                                    "\"\"",
                                                    "\"a\\\"}{,\\\\\"",
                                                    "\"\\ud83d\"",
                                                    "0",
                                                    "\"model\"",
                                                    "\"\xC3\xA9\xE2\x82\xAC\"",
                                                    "123456789012345678901234567890",
                                                    "\",\""};
    const size_t kind = depth > 3 ? 0 : below(6);
    if (kind == 0 || kind > 2) return std::string(kScalars[below(std::size(kScalars))]);
    std::string out = kind == 1 ? "[" : "{";
    for (size_t left = below(4); left > 0; --left) {
      out += space();
      if (kind == 2) out += "\"" + std::string(kNames[below(kNames.size())]) + "\"" + space() + ":";
      out += value(depth + 1) + space();
      if (left > 1) out += ",";
    }
    return out + (kind == 1 ? "]" : "}");
  }
  // escaped_name spells a name with some letters as escapes.
  std::string escaped_name(std::string_view name) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out;
    for (const char c : name) {
      if (below(4) != 0) {
        out += c;
        continue;
      }
      out += "\\u00";
      out += kHex[static_cast<size_t>(c) >> 4U];
      out += kHex[static_cast<size_t>(c) & 0xFU];
    }
    return out;
  }
  std::vector<Piece> pieces() {
    std::vector<Piece> out;
    for (size_t field = 0; field < kNames.size(); ++field) {
      if (below(3) == 0) continue;
      const bool plain = below(2) == 0;
      out.push_back({.field = field,
                     .name = plain ? std::string(kNames[field]) : escaped_name(kNames[field]),
                     .value = value(0)});
    }
    for (size_t more = below(3); more > 0; --more) {
      out.push_back({.name = "other" + std::to_string(more), .value = value(0)});
    }
    for (size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[below(i)]);
    return out;
  }

 private:
  std::mt19937 random_;
};

// Expected is the list of members that an edited document must have, in order, byte for byte.
std::vector<std::pair<std::string, std::string>> members_in(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Member& member : Members(Value::value_in(text))) {
    out.emplace_back(member.name.text, member.value.text);
  }
  return out;
}

void check_random_edit(uint32_t seed) {
  CAPTURE(seed);
  Generator random(seed);
  const std::vector<Piece> pieces = random.pieces();
  std::string text = random.space() + "{" + random.space();
  for (size_t i = 0; i < pieces.size(); ++i) {
    text += (i > 0 ? "," + random.space() : "") + "\"" + pieces[i].name + "\"" + random.space() +
            ":" + random.space() + pieces[i].value + random.space();
  }
  text += "}" + random.space();
  CAPTURE(text);
  Fields fields;
  REQUIRE(find(text, kNames, fields).has_value());
  Edit edit(fields);
  std::vector<std::pair<std::string, std::string>> expected;
  for (size_t inserts = random.below(3); inserts > 0; --inserts) {
    edit.insert("\"new\":[0]");
    expected.emplace_back("\"new\"", "[0]");
  }
  for (const Piece& piece : pieces) {
    const std::string name = "\"" + piece.name + "\"";
    const size_t action = piece.field == SIZE_MAX ? 3 : random.below(4);
    if (action == 0) edit.remove(piece.field);
    if (action == 1) {
      edit.replace_member(piece.field, "\"put\" : {}");
      expected.emplace_back("\"put\"", "{}");
    }
    if (action == 2) {
      edit.replace_value(piece.field, "\"v\"");
      expected.emplace_back(name, "\"v\"");
    }
    if (action == 3) expected.emplace_back(name, piece.value);
  }
  const SpliceList splices = edit.splices();
  const std::string out = edited(text, splices);
  CAPTURE(out);
  REQUIRE(validate(out) == Type::kObject);
  REQUIRE(members_in(out) == expected);
  // Every splice stays within listed members, their commas and the space between them.
  std::string blank = text;
  for (size_t i = 0; i < splices.size(); ++i) {
    std::fill_n(blank.begin() + splices[i].offset, splices[i].length, '#');
  }
  for (size_t field = 0; field < kNames.size(); ++field) {
    if (const Field* found = fields[field]) {
      std::fill_n(text.begin() + found->member.begin, found->member.size(), '#');
    }
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const bool free =
        text[i] == '#' || text[i] == ',' || std::isspace(static_cast<uint8_t>(text[i]));
    REQUIRE((blank[i] != '#' || free));
  }
}

TEST_CASE("random edits of random documents change the named members and nothing else") {
  for (uint32_t seed = 1; seed <= 20000; ++seed) check_random_edit(seed);
}

}  // namespace
}  // namespace flexd::json
