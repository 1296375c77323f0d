#include "flexd/json/cursor.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace flexd::json {
namespace {

std::string decoded(std::string_view text) {
  std::array<char, 256> buffer;
  const auto result = decode(Value{text}, buffer);
  return result ? std::string(*result) : "(none)";
}

TEST_CASE("a path into an event") {
  const Value event{
      "{\"type\":\"response.completed\", \"response\" : "
      "{\"id\":\"r_1\",\"status\":\"compl\\u0065ted\","
      "\"error\":null,\"output\":[{\"a\":\"]}\"}],\"usage\":{\"input_tokens\":9,"
      "\"details\":{\"cached\":0},\"total_tokens\":13}}}"};
  CHECK(event["type"].equals("response.completed"));
  CHECK(event["response"]["status"].equals("completed"));
  CHECK(event["response"]["error"].is_null());
  CHECK(event["response"]["usage"]["total_tokens"].to_int64() == 13);
  CHECK(event["response"]["usage"]["details"]["cached"].to_uint64() == 0);
  CHECK(!event["response"]["missing"]["deeper"].exists());
  CHECK(!event["type"]["x"].exists());
  CHECK(event["response"]["output"].type() == Type::kArray);
}

TEST_CASE("members and elements in order, as they stand") {
  std::string seen;
  for (const Member& member : Members(Value{"{ \"a\" : 1 ,\"b\\n\":[ 2 , 3 ],\"c\":\"x,y\" }"})) {
    seen += std::string(member.name.text) + "=" + std::string(member.value.text) + ";";
  }
  CHECK(seen == "\"a\"=1;\"b\\n\"=[ 2 , 3 ];\"c\"=\"x,y\";");
  seen.clear();
  for (const Value element : Elements(Value{"[ 1 ,\"]\", {\"a\":[]} ,[[]],null ]"})) {
    seen += std::string(element.text) + ";";
  }
  CHECK(seen == "1;\"]\";{\"a\":[]};[[]];null;");
  for (const std::string_view none : {"{}", "{ }", "[]", "[ ]", "1", "\"x\"", ""}) {
    CHECK(!Members(Value{none}).next());
    CHECK(!Elements(Value{none}).next());
  }
}

TEST_CASE("the first of two equal names is found, escaped or not") {
  const Value value{"{\"x\":1,\"\\u0061\":2,\"a\":3}"};
  CHECK(value["a"].to_int64() == 2);
}

TEST_CASE("several members in one walk") {
  constexpr Names kNames = {"id", "status", "absent"};
  std::array<Value, 3> found;
  members_of(Value{"{\"status\":\"ok\",\"z\":{\"id\":0},\"i\\u0064\":7,\"id\":8}"}, kNames, found);
  CHECK(found[0].to_int64() == 7);
  CHECK(found[1].equals("ok"));
  CHECK(!found[2].exists());
}

TEST_CASE("a walk for fields stops at what is not on the list, and at what stands there twice") {
  constexpr Names kNames = {"id", "status"};
  std::array<Value, 2> found;
  FieldWalk walk(Value{R"({"z":[1],"id":null,"status":"ok","i\u0064":7,"":0,"status":1})"}, kNames,
                 found);
  REQUIRE(walk.next());
  CHECK(walk.field() == kNames.size());
  CHECK(walk.member().name.equals("z"));
  CHECK(walk.member().value.text == "[1]");
  REQUIRE(walk.next());
  CHECK(walk.field() == 0);
  CHECK(walk.member().value.text == "7");
  REQUIRE(walk.next());
  CHECK(walk.field() == kNames.size());
  REQUIRE(walk.next());
  CHECK(walk.field() == 1);
  CHECK_FALSE(walk.next());
  CHECK_FALSE(walk.next());
  CHECK(found[0].is_null());
  CHECK(found[1].equals("ok"));
}

TEST_CASE("texts of all lengths are compared whole") {
  for (size_t size = 0; size < 40; ++size) {
    const std::string text(size, 'a');
    CHECK(same_bytes(text, std::string(size, 'a')));
    for (size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'b';
      CHECK_FALSE(same_bytes(text, other));
      CHECK_FALSE(Value{'"' + other + '"'}.equals(text));
    }
    CHECK(Value{'"' + text + '"'}.equals(text));
    CHECK_FALSE(Value{'"' + text + 'a'}.equals(text));
    CHECK_FALSE(Value{'a' + text + '"'}.equals(text));
  }
}

TEST_CASE("value_in takes white space off") {
  CHECK(Value::value_in(" \n{\"a\":1} \r\n").text == "{\"a\":1}");
  CHECK(Value::value_in("\t12 ").text == "12");
  CHECK(!Value::value_in("  ").exists());
  CHECK(!Value::value_in("{").exists());
}

TEST_CASE("strings are unescaped to UTF-8") {
  CHECK(decoded("\"plain\"") == "plain");
  CHECK(decoded("\"\"").empty());
  CHECK(decoded("\"a\\n\\t\\r\\b\\f\\/\\\\\\\"b\"") == "a\n\t\r\b\f/\\\"b");
  CHECK(decoded("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"") ==
        "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(decoded("\"\\ud83d\"") == "\xEF\xBF\xBD");
  CHECK(decoded("\"\\ude00x\\ud83d\\n\"") == "\xEF\xBF\xBDx\xEF\xBF\xBD\n");
  CHECK(decoded("\"\\ud83d\\ud83d\\ude00\"") == "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  CHECK(decoded("\"\\ud83d\\u0041\"") ==
        "\xEF\xBF\xBD"
        "A");
  CHECK(decoded("12") == "(none)");
  CHECK(decoded("\"") == "(none)");
  CHECK(decoded("\"\\q\"") == "(none)");
  CHECK(decoded("\"\\u12\"") == "(none)");
}

TEST_CASE("decoding needs a buffer only for escapes, and says when it is too small") {
  const std::string_view plain = "\"long text without escapes\"";
  CHECK(decode(Value{plain}, {}) == plain.substr(1, plain.size() - 2));
  std::array<char, 3> small;
  CHECK(decode(Value{"\"a\\nb\""}, small) == "a\nb");
  CHECK(!decode(Value{"\"a\\nbc\""}, small).has_value());
  CHECK(!decode(Value{"\"ab\\u20ac\""}, small).has_value());
}

TEST_CASE("strings are compared with words") {
  CHECK(Value{"\"word\""}.equals("word"));
  CHECK(Value{"\"w\\u006frd\""}.equals("word"));
  CHECK(Value{"\"a\\/b\""}.equals("a/b"));
  CHECK(Value{"\"\""}.equals(""));
  CHECK(!Value{"\"words\""}.equals("word"));
  CHECK(!Value{"\"wor\""}.equals("word"));
  CHECK(!Value{"\"w\\u006frds\""}.equals("word"));
  CHECK(!Value{"\"w\\u006fr\""}.equals("word"));
  CHECK(!Value{"word"}.equals("word"));
  CHECK(!Value{"\"\\\\n\""}.equals("\n"));
  CHECK(!Value{"\"a\\\\b\""}.equals("a\\\\b"));
  CHECK(!Value{}.equals(""));
}

TEST_CASE("integers are converted exactly or not at all") {
  CHECK(Value{"0"}.to_int64() == 0);
  CHECK(Value{"-0"}.to_int64() == 0);
  CHECK(Value{"9223372036854775807"}.to_int64() == INT64_MAX);
  CHECK(Value{"-9223372036854775808"}.to_int64() == INT64_MIN);
  CHECK(!Value{"9223372036854775808"}.to_int64().has_value());
  CHECK(Value{"18446744073709551615"}.to_uint64() == UINT64_MAX);
  CHECK(!Value{"18446744073709551616"}.to_uint64().has_value());
  CHECK(!Value{"-1"}.to_uint64().has_value());
  for (const std::string_view text : {"1.0", "1e3", "\"1\"", "null", "true", "", "-", "1 "}) {
    CHECK(!Value{text}.to_int64().has_value());
  }
  CHECK(Value{"true"}.to_bool() == true);
  CHECK(Value{"false"}.to_bool() == false);
  CHECK(!Value{"null"}.to_bool().has_value());
  CHECK(!Value{"1"}.to_bool().has_value());
}

TEST_CASE("broken text ends a walk and is never read past its end") {
  const std::string whole =
      "{\"a\":[1,{\"b\":\"c\\\"d\"}],\"e\":{\"f\":[true,null]},\"g\\u0041\":1.5}";
  for (size_t size = 0; size < whole.size(); ++size) {
    for (const char junk : {'\0', '"', '}', '{', ',', '\\', ' '}) {
      std::vector<char> bytes(whole.begin(), whole.begin() + static_cast<long>(size));
      bytes.push_back(junk);
      bytes.shrink_to_fit();
      const Value value{{bytes.data(), bytes.size()}};
      size_t members = 0;
      for (const Member& member : Members(value)) {
        ++members;
        discard(member.value["f"].exists(), "only its reads matter");
        for (const Value element : Elements(member.value)) {
          discard(element["b"].equals("c\"d"), "only its reads matter");
        }
      }
      CHECK(members <= 3);
    }
  }
  const std::string open(100000, '[');
  CHECK(!Elements(Value{open}).next());
  CHECK(!Members(Value{"{1:2}"}).next());
  CHECK(!Members(Value{"{\"a\" 1}"}).next());
  CHECK(!Elements(Value{"[,]"}).next());
}

}  // namespace

// Strings are searched sixteen bytes at a time where so many are left.
TEST_CASE("strings of every length near a block, with what ends or escapes at every place") {
  for (size_t size = 0; size <= 36; ++size) {
    for (size_t at = 0; at <= size; ++at) {
      std::string text(size, 'x');
      text.insert(at, "\\\"");
      const std::string quoted = "\"" + text + "\"";
      CAPTURE(quoted);
      for (const std::string& rest : {std::string(), std::string(20, ' ')}) {
        const std::string document = "{" + quoted + ":" + quoted + "}" + rest;
        const std::string exact(document.data(), document.size());
        CHECK(json::validate(exact).has_value());
        const json::Value object = json::Value::value_in(exact);
        REQUIRE(object.text.size() == document.size() - rest.size());
        json::Members members(object);
        REQUIRE(members.next());
        CHECK(members.member().name.text == quoted);
        CHECK(members.member().value.text == quoted);
        CHECK_FALSE(members.next());
      }
      CHECK(json::validate(quoted).has_value());
      for (const char bad : {'\x1f', '\xff', '\\'}) {
        std::string broken = "\"" + std::string(size, 'x') + "y\"";
        broken[1 + at] = bad;
        if (bad == '\\') broken.insert(2 + at, "q");
        CHECK_FALSE(json::validate(broken).has_value());
        CHECK_FALSE(json::validate(broken + std::string(20, ' ')).has_value());
      }
    }
  }
}

TEST_CASE("field_named reads names with and without escapes") {
  static constexpr json::Names kNames = {"type", "delta"};
  CHECK(json::field_named(json::Value{R"("delta")"}, kNames) == 1);
  CHECK(json::field_named(json::Value{R"("d\u0065lta")"}, kNames) == 1);
  CHECK(json::field_named(json::Value{R"("deltas")"}, kNames) == 2);
  CHECK(json::field_named(json::Value{R"("d\u00")"}, kNames) == 2);
  CHECK(json::field_named(json::Value{}, kNames) == 2);
}

}  // namespace flexd::json
