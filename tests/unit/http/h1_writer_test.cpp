#include "flexd/http/h1_writer.hpp"

#include <doctest/doctest.h>

#include <string>

#include "flexd/http/h1_parser.hpp"

namespace flexd::http {

TEST_CASE("a response head, byte for byte") {
  std::string out;
  const Field fields[] = {{"content-type", "application/json"}, {"x-empty", ""}};
  CHECK(write_response_head(
      out, {.status = 429, .fields = fields, .framing = Framing::length, .content_length = 120}));
  CHECK(out ==
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nx-empty: \r\n"
        "content-length: 120\r\n\r\n");
}

TEST_CASE("framing and persistence of responses") {
  std::string out;
  CHECK(write_response_head(out, {.status = 200, .framing = Framing::chunked}));
  CHECK(out == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  out.clear();
  CHECK(write_response_head(out, {.status = 299,
                                  .reason = "Odd",
                                  .framing = Framing::until_close,
                                  .persistence = Persistence::close}));
  CHECK(out == "HTTP/1.1 299 Odd\r\nconnection: close\r\n\r\n");
  out.clear();
  CHECK(write_response_head(out, {.status = 299, .persistence = Persistence::keep_alive}));
  CHECK(out == "HTTP/1.1 299 \r\nconnection: keep-alive\r\n\r\n");
  out.clear();
  CHECK(write_response_head(out, {.status = 100}));
  CHECK(out == "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_CASE("a request head that is written is read back") {
  std::string out;
  const Field fields[] = {{"authorization", "Bearer x"}, {"accept", "text/event-stream"}};
  CHECK(write_request_head(out, {.method = "POST",
                                 .path = "/v1/responses",
                                 .query = "a=b",
                                 .authority = "api.example:8443",
                                 .fields = fields,
                                 .framing = Framing::length,
                                 .content_length = UINT64_C(1234567890123456789)}));
  CHECK(out.starts_with("POST /v1/responses?a=b HTTP/1.1\r\nhost: api.example:8443\r\n"));
  RequestHead head;
  const HeadResult result = parse_request_head(out, 0, head);
  REQUIRE(result.complete());
  CHECK(result.consumed == out.size());
  CHECK(head.target == "/v1/responses");
  CHECK(head.query == "a=b");
  CHECK(head.authority == "api.example:8443");
  CHECK(head.content_length == UINT64_C(1234567890123456789));
  CHECK(head.fields.value("Authorization") == "Bearer x");
}

TEST_CASE("each status that is written is read back") {
  for (unsigned status = 100; status <= 599; ++status) {
    if (status == 101) continue;
    std::string out;
    REQUIRE(write_response_head(out, {.status = status}));
    ResponseHead head;
    REQUIRE(parse_response_head(out, 0, Method::get, head).complete());
    CHECK(head.status == status);
    CHECK(head.reason == reason_phrase(status));
  }
}

TEST_CASE("a sink without room is reported, at every size") {
  const Field fields[] = {{"a", "b"}};
  const ResponseOut head{.status = 200, .fields = fields, .framing = Framing::length};
  std::string whole;
  REQUIRE(write_response_head(whole, head));
  char memory[256];
  for (size_t size = 0; size < whole.size(); ++size) {
    SpanSink sink({memory, size});
    CHECK_FALSE(write_response_head(sink, head));
    CHECK(sink.size() <= size);
  }
  SpanSink sink({memory, whole.size()});
  CHECK(write_response_head(sink, head));
  CHECK(sink.view() == whole);
}

}  // namespace flexd::http
