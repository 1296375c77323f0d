#include "flexd/http/h1_chunks.hpp"

#include <doctest/doctest.h>

#include <string>

namespace flexd::http {

TEST_CASE("data is handed out in place") {
  const std::string bytes = "5\r\nhello\r\n0\r\n\r\nnext";
  std::string_view input = bytes;
  ChunkDecoder decoder;
  ChunkEvent event = decoder.next(input);
  REQUIRE(event.kind == ChunkEvent::Kind::data);
  CHECK(event.data.data() == bytes.data() + 3);
  CHECK(event.data == "hello");
  event = decoder.next(input);
  CHECK(event.kind == ChunkEvent::Kind::done);
  CHECK(decoder.done());
  CHECK(input == "next");
  CHECK(decoder.next(input).kind == ChunkEvent::Kind::done);
  CHECK(input == "next");
  decoder.reset();
  CHECK(decoder.body_bytes() == 0);
  std::string_view again = bytes;
  CHECK(decoder.next(again).data == "hello");
}

TEST_CASE("a refusal stays") {
  ChunkDecoder decoder;
  std::string_view input = "xyz";
  CHECK(decoder.next(input).verdict == H1Verdict::chunk_size_invalid);
  std::string_view good = "0\r\n\r\n";
  CHECK(decoder.next(good).kind == ChunkEvent::Kind::refused);
  CHECK(good.size() == 5);
}

TEST_CASE("the largest size is read, not wrapped") {
  ChunkDecoder decoder;
  std::string_view input = "ffffffffffffffff\r\nabc";
  const ChunkEvent event = decoder.next(input);
  CHECK(event.kind == ChunkEvent::Kind::data);
  CHECK(event.data == "abc");
  CHECK(decoder.next(input).kind == ChunkEvent::Kind::need_more);
  CHECK(decoder.body_bytes() == 3);
}

TEST_CASE("what the writer's helpers make, the decoder reads") {
  CHECK(ChunkHead(1).view() == "1\r\n");
  CHECK(ChunkHead(0x1a).view() == "1a\r\n");
  CHECK(ChunkHead(~uint64_t{0}).view() == "ffffffffffffffff\r\n");
  const std::string data(1000, 'd');
  std::string wire;
  for (size_t size = 1; size <= data.size(); size = size * 3 + 1) {
    const ChunkHead head(size);
    wire += head.view();
    wire += data.substr(0, size);
    wire += kChunkEnd;
  }
  wire += kLastChunk;
  std::string_view input = wire;
  ChunkDecoder decoder;
  ChunkEvent event = decoder.next(input);
  for (; event.kind == ChunkEvent::Kind::data; event = decoder.next(input)) {
    CHECK(event.data == data.substr(0, event.data.size()));
  }
  CHECK(event.kind == ChunkEvent::Kind::done);
  CHECK(decoder.body_bytes() == 1 + 4 + 13 + 40 + 121 + 364);
}

}  // namespace flexd::http
