#include "writing.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "flexd/base/block_pool.hpp"

namespace flexd::surface {
namespace {

constexpr size_t kPoolBytes = size_t{64} << 20U;

std::string arguments(std::string_view string) {
  BlockPool pool(kPoolBytes);
  Buffer out(pool);
  CHECK(append_parts(out, {"before:"}));
  CHECK(append_arguments(out, string));
  CHECK(out.view().starts_with("before:"));
  return std::string(out.view().substr(7));
}

std::string time_of(uint64_t unix_s) {
  const auto text = format_time(unix_s);
  return {text.data(), text.size()};
}

std::string single_line(std::string_view json) {
  BlockPool pool(kPoolBytes);
  Buffer out(pool);
  WholeSink sink(out);
  append_single_line(sink, json);
  CHECK(sink.finish());
  return std::string(out.view());
}

}  // namespace

TEST_CASE("arguments become the object that they are the text of") {
  CHECK(arguments(R"("{}")") == "{}");
  CHECK(arguments(R"("{\"a\":1,\"b\":[true]}")") == R"({"a":1,"b":[true]})");
  CHECK(arguments(R"("{\"a\":\"\\ud83d \\\"x\\\" \u00e9\"}")") ==
        "{\"a\":\"\\ud83d \\\"x\\\" \xc3\xa9\"}");
  CHECK(arguments(R"("\u007b\u007d")") == "{}");
  // Half a pair that was escaped but once has no UTF-8.
  CHECK(arguments(R"("{\"a\":\"\ud83d\"}")") == "{\"a\":\"\xef\xbf\xbd\"}");
  // Space around it stays: it is still the same object.
  CHECK(arguments(R"(" {} \n")") == " {} \n");
}

TEST_CASE("what is no object becomes an empty one") {
  CHECK(arguments(R"("")") == "{}");
  CHECK(arguments("") == "{}");
  CHECK(arguments(R"("{\"a\":")") == "{}");
  CHECK(arguments(R"("[1]")") == "{}");
  CHECK(arguments(R"("1")") == "{}");
  CHECK(arguments(R"("{} {}")") == "{}");
  CHECK(arguments(R"("\x")") == "{}");
}

TEST_CASE("times are RFC 3339") {
  CHECK(time_of(0) == "1970-01-01T00:00:00Z");
  CHECK(time_of(951'782'399) == "2000-02-28T23:59:59Z");
  CHECK(time_of(951'782'400) == "2000-02-29T00:00:00Z");
  CHECK(time_of(1'790'000'000) == "2026-09-21T14:13:20Z");
  CHECK(time_of(253'402'300'799) == "9999-12-31T23:59:59Z");
  CHECK(time_of(253'402'300'800) == "9999-12-31T23:59:59Z");
  CHECK(time_of(UINT64_MAX) == "9999-12-31T23:59:59Z");
}

TEST_CASE("a raw value loses its line ends and nothing else") {
  CHECK(single_line("") == "");
  CHECK(single_line("[1, 2]") == "[1, 2]");
  CHECK(single_line("\r\n[\n1,\r2\r\n\n]\n") == "[1,2]");
  CHECK(single_line("\"a\\n\"") == "\"a\\n\"");
}

TEST_CASE("parts are appended all or none") {
  BlockPool pool(kBlockBytesMin);
  Buffer out(pool);
  const std::string most(kBlockBytesMin - kBufferPadding, 'a');
  CHECK(append_parts(out, {std::string_view(most).substr(1), "b"}));
  CHECK_FALSE(append_parts(out, {"", "c"}));
  CHECK(out.size() == most.size());
  CHECK(append_parts(out, {}));
  out.truncate(most.size() - 1);
  CHECK_FALSE(append_parts(out, {"c", "d"}));
  CHECK(out.size() == most.size() - 1);
}

TEST_CASE("a sink that is not finished leaves nothing") {
  BlockPool pool(kBlockBytesMin);
  Buffer out(pool);
  CHECK(append_parts(out, {"kept "}));
  {
    WholeSink sink(out);
    sink.append("left");
  }
  CHECK(out.view() == "kept ");
  {
    WholeSink sink(out);
    sink.append("some");
    sink.append(std::string(kBlockBytesMin, 'x'));
    sink.append("more");
    CHECK_FALSE(sink.finish());
  }
  CHECK(out.view() == "kept ");
}

TEST_CASE("ids are made of a prefix, letters and a number") {
  CHECK(answer_id("resp_gw", "abc").view() == "resp_gwabc");
  CHECK(numbered_id("call_", "abc", 0).view() == "call_abc_0");
  CHECK(numbered_id("toolu_", std::string(kUniqueBytesMax, 'u'), UINT64_MAX).view().size() ==
        6 + kUniqueBytesMax + 1 + 20);
}

}  // namespace flexd::surface
