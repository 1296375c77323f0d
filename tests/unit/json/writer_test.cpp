#include "flexd/json/writer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "flexd/json/cursor.hpp"

namespace flexd::json {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  write_escaped(out, text);
  return out;
}

TEST_CASE("objects, arrays and values, with commas where they belong") {
  std::array<char, 256> buffer;
  SpanSink sink(buffer);
  Writer writer(sink);
  writer.begin_object().key("a").integer(1).key("b").begin_array().string("x").null();
  writer.boolean(true).begin_object().end_object().begin_array().end_array().end_array();
  writer.key("c").raw("{\"d\":1.50}").key("e\n").integer(INT64_MIN).key("f").integer(UINT64_MAX);
  writer.end_object();
  CHECK(!sink.overflowed());
  CHECK(sink.view() ==
        "{\"a\":1,\"b\":[\"x\",null,true,{},[]],\"c\":{\"d\":1.50},\"e\\n\":-9223372036854775808,"
        "\"f\":18446744073709551615}");
  CHECK(validate(sink.view()).has_value());
}

TEST_CASE("any sink will do") {
  std::string out;
  Writer writer(out);
  writer.begin_array().string("a\"b").integer(-3).end_array();
  CHECK(out == "[\"a\\\"b\",-3]");
}

TEST_CASE("a full span drops the rest and says so") {
  std::array<char, 4> buffer;
  SpanSink sink(buffer);
  sink.append("abc");
  CHECK(!sink.overflowed());
  sink.append("de");
  CHECK(sink.overflowed());
  sink.append("f");
  CHECK(sink.view() == "abc");
}

TEST_CASE("text is escaped as far as JSON asks for it") {
  CHECK(escaped("plain \x7F / \xC3\xA9 \xF0\x9F\x98\x80") ==
        "plain \x7F / \xC3\xA9 \xF0\x9F\x98\x80");
  CHECK(escaped("\"\\\b\f\n\r\t") == "\\\"\\\\\\b\\f\\n\\r\\t");
  CHECK(escaped(std::string_view("\0\x1F", 2)) == "\\u0000\\u001f");
}

TEST_CASE("ill-formed bytes become U+FFFD, wherever they stand") {
  CHECK(escaped("a\xFF"
                "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(escaped("\xC3") == "\xEF\xBF\xBD");
  CHECK(escaped("\xE2\x82\n") == "\xEF\xBF\xBD\xEF\xBF\xBD\\n");
  CHECK(escaped("\xED\xA0\x80").size() == 9);
}

TEST_CASE("long text survives, with sequences cut at any place by the window") {
  for (size_t lead = 1018; lead < 1030; ++lead) {
    std::string text(lead, 'x');
    for (int i = 0; i < 600; ++i) text += "\xF0\x9F\x98\x80\xE2\x82\xAC";
    CHECK(escaped(text) == text);
  }
  const std::string bad(100000, '\xFF');
  CHECK(escaped(bad).size() == 300000);
}

TEST_CASE("what is written is read back") {
  std::string text;
  for (int byte = 0; byte < 128; ++byte) text += static_cast<char>(byte);
  text += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  std::string out;
  Writer writer(out);
  writer.string(text);
  REQUIRE(validate(out).has_value());
  std::array<char, 512> buffer;
  CHECK(decode(Value{out}, buffer) == text);
}

}  // namespace
}  // namespace flexd::json
