#include "flexd/base/pooled_list.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace flexd {
namespace {

struct Record {
  uint64_t number = 0;
  uint32_t tag = 0;
};

TEST_CASE("records keep their order while the list grows through block classes") {
  BlockPool pool(1U << 20U);
  {
    PooledList<Record> list(pool);
    CHECK(list.empty());
    for (uint32_t i = 0; i < 5000; ++i) REQUIRE(list.push({.number = i, .tag = ~i}));
    CHECK(list.size() == 5000);
    for (uint32_t i = 0; i < 5000; ++i) {
      CHECK(list[i].number == i);
      CHECK(list.items()[i].tag == ~i);
    }
    list.back().number = 7;
    CHECK(list[4999].number == 7);
    list.drop_front(4999);
    CHECK(list.size() == 1);
    CHECK(list[0].number == 7);
    list.clear();
    CHECK(list.empty());
  }
  CHECK(pool.in_use_bytes() == 0);
}

TEST_CASE("a pool without room refuses a record and keeps those before it") {
  BlockPool pool(kBlockBytesMin);
  PooledList<Record> list(pool);
  size_t pushed = 0;
  while (list.push({.number = pushed})) ++pushed;
  CHECK(pushed == (kBlockBytesMin - kBufferPadding) / sizeof(Record));
  CHECK(list.size() == pushed);
  CHECK(list.back().number == pushed - 1);
}

TEST_CASE("a sink tells once that text was lost") {
  BlockPool pool(kBlockBytesMin);
  Buffer buffer(pool);
  BufferSink sink(buffer);
  sink.append("kept");
  sink.append("");
  CHECK_FALSE(sink.failed());
  sink.append("kept");
  CHECK(buffer.view() == "keptkept");
  const std::string large(kBlockBytesMin, 'x');
  sink.append(large);
  CHECK(sink.failed());
  sink.append("more");
  CHECK(buffer.view() == "keptkept");
}

}  // namespace
}  // namespace flexd
