#include "flexd/http/message.hpp"

#include <doctest/doctest.h>

#include <string>

#include "h1_scan.hpp"

namespace flexd::http {

TEST_CASE("FieldList finds, counts and visits without regard to case") {
  FieldList fields;
  CHECK(fields.push("Accept", "a"));
  CHECK(fields.push("x-two", "b"));
  CHECK(fields.push("ACCEPT", "c"));
  CHECK(fields.find("accept")->value == "a");
  CHECK(fields.find("accep") == nullptr);
  CHECK(fields.count("Accept") == 2);
  CHECK(fields.value("X-Two") == "b");
  CHECK(fields.value("absent", "fallback") == "fallback");
  std::string seen;
  fields.for_each("aCCept", [&](std::string_view value) { seen += value; });
  CHECK(seen == "ac");
}

TEST_CASE("FieldList holds kFieldsMax fields and copies them") {
  FieldList fields;
  for (size_t i = 0; i < kFieldsMax; ++i) REQUIRE(fields.push("n", "v"));
  CHECK_FALSE(fields.push("one", "more"));
  CHECK(fields.size() == kFieldsMax);
  const FieldList copy = fields;
  CHECK(copy.size() == kFieldsMax);
  CHECK(copy[kFieldsMax - 1].name == "n");
  fields.clear();
  CHECK(fields.empty());
  CHECK(copy.count("n") == kFieldsMax);
}

TEST_CASE("methods are case-sensitive") {
  CHECK(parse_method("POST") == Method::post);
  CHECK(parse_method("post") == Method::other);
  CHECK(parse_method("DELETE") == Method::del);
  for (const char* token : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CHECK(method_text(parse_method(token)) == token);
  }
  CHECK(method_text(Method::other) == "");
}

TEST_CASE("authorities") {
  for (const char* good : {"a", "a.example:8080", "127.0.0.1", "127.0.0.1:65535", "[::1]",
                           "[::1]:443", "[2001:db8::1.2.3.4]", "under_score", "a:", "[::1]:"}) {
    INFO(good);
    CHECK(is_valid_authority(good));
  }
  for (const char* bad : {"",     ":80",      "a:65536", "a:123456",
                          "a:b",  "a b",      "a,b",     "u@a",
                          "a/b",  "[::1",     "[::1]x",  "[]",
                          "[:]",  "::1",      "[v1.x]",  "[fe80::1%25eth0]",
                          "a%41", "\xc3\xa9", "a?b",     "[1:2:3:4:5:6:7:8:9]"}) {
    INFO(bad);
    CHECK_FALSE(is_valid_authority(bad));
  }
}

TEST_CASE("paths and queries") {
  RequestHead head;
  CHECK(split_target("/v1/a%2Fb?x[]=1&y?=2", head));
  CHECK(head.target == "/v1/a%2Fb");
  CHECK(head.query == "x[]=1&y?=2");
  CHECK(split_target("/v1beta/models/m:generateContent", head));
  CHECK(head.query.empty());
  for (const char* bad : {"", "a", "/%", "/%4", "/%4g", "/a b", "/a\\b", "/a#b", "/<", "/{x}",
                          "/a?b#c", "/a?\x7f", "/\xc3\xa9"}) {
    INFO(bad);
    CHECK_FALSE(split_target(bad, head));
  }
}

TEST_CASE("content lengths") {
  uint64_t length = 7;
  CHECK(parse_content_length("0", length));
  CHECK(length == 0);
  CHECK(parse_content_length("9999999999999999999", length));
  CHECK(length == 9999999999999999999u);
  for (const char* bad : {"", "10000000000000000000", "+1", "-1", "0x10", "1 2", "1,1", "1."}) {
    INFO(bad);
    CHECK_FALSE(parse_content_length(bad, length));
  }
}

TEST_CASE("names, values, lists and reasons") {
  CHECK(is_valid_name("x-a_b"));
  CHECK_FALSE(is_valid_name(""));
  CHECK_FALSE(is_valid_name("a b"));
  CHECK(is_valid_value(""));
  CHECK(is_valid_value("tab\tand \xc3\xa9"));
  CHECK_FALSE(is_valid_value("a\r\nb: c"));
  CHECK_FALSE(is_valid_value(std::string_view("a\0b", 3)));
  CHECK_FALSE(is_valid_value("a long value, beyond one vector of bytes\x7f"));
  CHECK(has_token("a, Close ,b", "close"));
  CHECK(has_token("close", "close"));
  CHECK_FALSE(has_token("closed, not-close", "close"));
  CHECK_FALSE(has_token("", "close"));
  CHECK(reason_phrase(429) == "Too Many Requests");
  CHECK(reason_phrase(299).empty());
}

TEST_CASE("the vector scans stop where the scalar ones do, for every byte at every place") {
  for (size_t size = 0; size <= 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      for (int byte = 0; byte < 256; ++byte) {
        text[at] = static_cast<char>(byte);
        const char* begin = text.data();
        const char* end = begin + size;
        REQUIRE(scan::skip_value(begin, end) == scan::skip_scalar(begin, end, scan::kValue));
        REQUIRE(scan::skip_target(begin, end) == scan::skip_scalar(begin, end, scan::kTarget));
        for (const scan::Class names : {scan::kFieldName, scan::kToken}) {
          REQUIRE(scan::skip_name(begin, end, names) == scan::skip_scalar(begin, end, names));
        }
      }
    }
  }
}

}  // namespace flexd::http
