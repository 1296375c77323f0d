#include "response_reader.hpp"

#include <doctest/doctest.h>

#include <string>

using flexd::bench::EventCounter;
using flexd::bench::ResponseReader;
using State = ResponseReader::State;

namespace {

struct Case {
  const char* name;
  std::string bytes;
  int status;
  std::uint64_t body_bytes;
  std::uint64_t events;
};

const Case kWhole[] = {
    {"length", "HTTP/1.1 200 OK\r\ncontent-LENGTH:  5 \r\nX-C: \r\n\r\nhello", 200, 5, 0},
    {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, 0},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, 0},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok",
     201, 2, 0},
    {"chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789"
     "\r\n0\r\n\r\n",
     200, 13, 0},
    {"trailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n\n\r\n0\r\nA: b\r\nC: d\r\n"
     "\r\n",
     200, 1, 0},
    {"chunked wins over length",
     "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked"
     "\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     200, 1, 0},
    {"events",
     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding:"
     " chunked\r\n\r\n1c\r\nevent: a\ndata: 1\n\ndata: 2\r\n\r\r\n15\r\n\n: note\n\nid: 3\n\n"
     "data:\r\n4\r\nx\n\nd\r\n6\r\nata:y\n\r\n0\r\n\r\n",
     200, 59, 3},
};

void check(const ResponseReader& reader, const Case& example) {
  CHECK(reader.state() == State::kDone);
  CHECK(reader.status() == example.status);
  CHECK(reader.body_bytes() == example.body_bytes);
  CHECK(reader.events() == example.events);
}

}  // namespace

TEST_CASE("reader: whole answers, cut at every pair of places") {
  ResponseReader reader;
  for (const Case& example : kWhole) {
    CAPTURE(example.name);
    const std::string_view bytes = example.bytes;
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
      for (std::size_t second = first; second <= bytes.size(); ++second) {
        CAPTURE(first);
        CAPTURE(second);
        reader.reset();
        std::size_t used = reader.feed(bytes.substr(0, first));
        used += reader.feed(bytes.substr(first, second - first));
        used += reader.feed(bytes.substr(second));
        REQUIRE(used == bytes.size());
        check(reader, example);
      }
    }
  }
}

TEST_CASE("reader: byte by byte, and what follows an answer is left alone") {
  ResponseReader reader;
  for (const Case& example : kWhole) {
    CAPTURE(example.name);
    reader.reset();
    for (std::size_t i = 0; i < example.bytes.size(); ++i) {
      REQUIRE(reader.state() == State::kReading);
      REQUIRE(reader.feed(std::string_view(example.bytes).substr(i, 1)) == 1);
    }
    check(reader, example);
    reader.reset();
    CHECK(reader.feed(example.bytes + "HTTP/1.1") == example.bytes.size());
    check(reader, example);
  }
}

TEST_CASE("reader: an answer without a length ends with the connection") {
  ResponseReader reader;
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
  CHECK(reader.feed(bytes) == bytes.size());
  CHECK(reader.state() == State::kReading);
  CHECK(reader.wants_close());
  reader.on_eof();
  CHECK(reader.state() == State::kDone);
  CHECK(reader.events() == 1);
}

TEST_CASE("reader: an answer cut short is broken") {
  for (const Case& example : kWhole) {
    CAPTURE(example.name);
    ResponseReader reader;
    reader.feed(std::string_view(example.bytes).substr(0, example.bytes.size() - 1));
    reader.on_eof();
    CHECK(reader.state() == State::kBroken);
  }
}

TEST_CASE("reader: keep-alive is as the peer says") {
  ResponseReader reader;
  reader.feed("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n");
  CHECK(reader.wants_close());
  reader.reset();
  CHECK_FALSE(reader.wants_close());
  reader.feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(reader.wants_close());
  reader.reset();
  reader.feed("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  CHECK_FALSE(reader.wants_close());
}

TEST_CASE("reader: what is not an answer is broken") {
  for (const char* bytes : {
           "SSH-2.0-x\r\n\r\n",
           "HTTP/2 200\r\n\r\n",
           "HTTP/1.1 2x0 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1111111111111111\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
       }) {
    CAPTURE(bytes);
    ResponseReader reader;
    reader.feed(bytes);
    CHECK(reader.state() == State::kBroken);
  }
  ResponseReader endless;
  endless.feed(std::string(ResponseReader::kHeadBytesMax, 'x'));
  CHECK(endless.state() == State::kReading);
  endless.feed("x");
  CHECK(endless.state() == State::kBroken);
}

TEST_CASE("reader: the body of a failure is kept for the report, in part") {
  ResponseReader reader;
  reader.feed("HTTP/1.1 503 No\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'e'));
  CHECK(reader.state() == State::kDone);
  CHECK(reader.sample() == std::string(ResponseReader::kSampleBytesMax, 'e'));
}

TEST_CASE("event counter: only blank lines after data count") {
  EventCounter counter;
  counter.feed("\n\n: c\n\nevent: x\n\ndata\n\ndata: 1\n\n\ndata:2\r\ndata:3\r\n\r\ndata: tail");
  CHECK(counter.events() == 2);
}
