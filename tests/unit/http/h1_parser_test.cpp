// What the table of cases cannot say: reuse of a head, moving buffers, refusals' answers.
#include "flexd/http/h1_parser.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace flexd::http {

TEST_CASE("a head that is used again forgets the request before") {
  RequestHead head;
  const std::string first =
      "POST http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n"
      "Expect: 100-continue\r\nX-One: 1\r\n\r\n";
  REQUIRE(parse_request_head(first, 0, head).complete());
  CHECK(head.expect_continue);
  REQUIRE(parse_request_head("GET / HTTP/1.0\r\n\r\n", 0, head).complete());
  CHECK(head.method == Method::get);
  CHECK(head.framing == Framing::none);
  CHECK(head.content_length == 0);
  CHECK_FALSE(head.expect_continue);
  CHECK_FALSE(head.keep_alive);
  CHECK(head.query.empty());
  CHECK(head.authority.empty());
  CHECK(head.fields.empty());
}

TEST_CASE("each refusal has its answer") {
  CHECK(status_of(refusal_of(H1Verdict::bare_lf)) == 400);
  CHECK(status_of(refusal_of(H1Verdict::method_refused)) == 400);
  CHECK(status_of(refusal_of(H1Verdict::expectation_unsupported)) == 417);
  CHECK(status_of(refusal_of(H1Verdict::line_too_long)) == 431);
  CHECK(status_of(refusal_of(H1Verdict::head_too_long)) == 431);
  CHECK(status_of(refusal_of(H1Verdict::too_many_fields)) == 431);
  CHECK(status_of(refusal_of(H1Verdict::coding_unsupported)) == 501);
  CHECK(status_of(refusal_of(H1Verdict::version_unsupported)) == 505);
}

TEST_CASE("pipelined requests are read one after the other") {
  const std::string bytes =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3";
  std::string_view rest = bytes;
  RequestHead head;
  HeadResult result = parse_request_head(rest, 0, head);
  REQUIRE(result.complete());
  CHECK(head.target == "/1");
  rest.remove_prefix(result.consumed);
  result = parse_request_head(rest, 0, head);
  REQUIRE(result.complete());
  CHECK(head.target == "/2");
  rest.remove_prefix(result.consumed);
  CHECK(parse_request_head(rest, 0, head).incomplete());
}

TEST_CASE("the buffer may move between two calls") {
  const std::string whole = "GET /moved HTTP/1.1\r\nHost: a\r\nX-Long: value\r\n\r\n";
  RequestHead head;
  size_t scanned = 0;
  HeadResult result;
  std::string buffer;
  for (size_t size = 1; size <= whole.size(); ++size) {
    buffer = std::string(whole.data(), size);
    result = parse_request_head(buffer, scanned, head);
    scanned = size;
  }
  REQUIRE(result.complete());
  CHECK(head.target == "/moved");
  CHECK(head.fields.value("x-long") == "value");
}

TEST_CASE("a garbled line is refused when it ends, whatever follows") {
  RequestHead head;
  const std::string garbage = "GET / HTTP/1.1\r\nHo(st: a\r\n";
  CHECK(parse_request_head(garbage, garbage.size() - 2, head).verdict == H1Verdict::name_invalid);
  const std::string tls("\x16\x03\x01\x02\x00\x01", 6);
  CHECK(parse_request_head(tls, 0, head).verdict == H1Verdict::method_invalid);
}

TEST_CASE("what never ends is refused at its limit, not when its line ends") {
  struct {
    std::string begin;
    size_t limit;
    H1Verdict verdict;
  } const cases[] = {
      {"GET /", kRequestLineMax + 2, H1Verdict::line_too_long},
      {"\r\nGET /", kRequestLineMax + 4, H1Verdict::line_too_long},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: ", kHeadBytesMax, H1Verdict::head_too_long},
  };
  for (const auto& endless : cases) {
    for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}}) {
      const std::string bytes = endless.begin + std::string(kHeadBytesMax + step, 'a');
      RequestHead head;
      size_t scanned = 0;
      size_t size = 1;
      HeadResult result = parse_request_head(bytes.substr(0, size), scanned, head);
      while (result.incomplete() && size < bytes.size()) {
        scanned = size;
        size = std::min(size + step, bytes.size());
        result = parse_request_head(std::string_view(bytes).substr(0, size), scanned, head);
      }
      CHECK(result.verdict == endless.verdict);
      CHECK(size >= endless.limit);
      CHECK(size < endless.limit + step);
    }
  }
}

TEST_CASE("verdicts have names of their own") {
  for (int i = 0; i <= static_cast<int>(H1Verdict::trailers_too_many); ++i) {
    for (int j = 0; j < i; ++j) {
      CHECK(verdict_name(static_cast<H1Verdict>(i)) != verdict_name(static_cast<H1Verdict>(j)));
    }
  }
}

}  // namespace flexd::http
