#include "flexd/sse/writer.hpp"

#include <doctest/doctest.h>

#include <string>

namespace flexd::sse {
namespace {

std::string event(std::string_view name, std::string_view data) {
  std::string out;
  write_event(out, name, data);
  return out;
}

TEST_CASE("one event, one frame") {
  CHECK(event("ping", "{}") == "event: ping\ndata: {}\n\n");
  CHECK(event("", "[DONE]") == "data: [DONE]\n\n");
  CHECK(event("", "") == "data: \n\n");
}

TEST_CASE("line ends in data become lines of their own") {
  CHECK(event("e", "a\nb\r\nc\rd") == "event: e\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(event("", "a\n") == "data: a\ndata: \n\n");
}

TEST_CASE("a comment") {
  std::string out;
  write_comment(out, "keep-alive");
  CHECK(out == ": keep-alive\n\n");
}

}  // namespace
}  // namespace flexd::sse
