#include "flexd/base/splice.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace flexd {
namespace {

std::string read_all(std::string_view body, const SpliceList& list, size_t count_max) {
  SplicedReader reader(body, list);
  std::string out;
  while (reader.size_left() > 0) {
    const uint64_t left = reader.size_left();
    const std::string_view piece = reader.next(count_max);
    REQUIRE(!piece.empty());
    REQUIRE(piece.size() <= count_max);
    REQUIRE(reader.size_left() == left - piece.size());
    out += piece;
  }
  CHECK(reader.next(count_max).empty());
  CHECK(out.size() == list.edited_size(body.size()));
  return out;
}

std::string read_all(std::string_view body, const SpliceList& list) {
  const std::string whole = read_all(body, list, SIZE_MAX);
  for (const size_t count_max : {1, 2, 3, 7}) CHECK(read_all(body, list, count_max) == whole);
  return whole;
}

TEST_CASE("a body without edits is itself") {
  CHECK(read_all("hello", {}) == "hello");
  CHECK(read_all("", {}).empty());
}

TEST_CASE("edits replace, drop and insert, whatever order they are added in") {
  SpliceList list;
  list.add({.offset = 6, .length = 5, .text = "there"});
  list.add({.offset = 0, .length = 1, .text = "J"});
  list.add({.offset = 5, .length = 1, .text = {}});
  list.add({.offset = 11, .length = 0, .text = "!"});
  CHECK(list.size() == 4);
  CHECK(read_all("hello world", list) == "Jellothere!");
}

TEST_CASE("text put in at one place keeps its order and stands before what is replaced there") {
  SpliceList list;
  list.add({.offset = 1, .length = 2, .text = "X"});
  list.add({.offset = 1, .length = 0, .text = "1"});
  list.add({.offset = 1, .length = 0, .text = "2"});
  CHECK(read_all("abcd", list) == "a12Xd");
}

TEST_CASE("edits may touch each other and take everything") {
  SpliceList list;
  list.add({.offset = 0, .length = 2, .text = {}});
  list.add({.offset = 2, .length = 2, .text = {}});
  CHECK(read_all("abcd", list).empty());
  SpliceList grown;
  grown.add({.offset = 0, .length = 0, .text = "only"});
  CHECK(read_all("", grown) == "only");
}

TEST_CASE("two readers walk one body at once") {
  SpliceList flex;
  flex.add({.offset = 1, .length = 1, .text = "FLEX"});
  SpliceList standard;
  standard.add({.offset = 1, .length = 1, .text = "S"});
  const std::string_view body = "a-c";
  SplicedReader first(body, flex);
  SplicedReader second(body, standard);
  std::string one;
  std::string two;
  while (first.size_left() > 0 || second.size_left() > 0) {
    one += first.next(1);
    two += second.next(1);
  }
  CHECK(one == "aFLEXc");
  CHECK(two == "aSc");
}

TEST_CASE("random edits agree with std::string::replace") {
  std::mt19937 random(20240611);  // NOLINT: a fixed seed on purpose
  static constexpr std::string_view kTexts[] = {"", "x", "some text", "0123456789012345678901234"};
  for (int round = 0; round < 2000; ++round) {
    CAPTURE(round);
    std::string body(random() % 60, ' ');
    for (char& c : body) c = static_cast<char>('a' + random() % 26);
    SpliceList list;
    std::string expected = body;
    size_t end = body.size();  // edits are made from the back, so that offsets hold
    while (list.size() < kSplicesMax && random() % 6 != 0) {
      const size_t offset = end - random() % (end + 1);
      const size_t length = random() % (end - offset + 1);
      const std::string_view text = kTexts[random() % std::size(kTexts)];
      list.add({.offset = static_cast<uint32_t>(offset),
                .length = static_cast<uint32_t>(length),
                .text = text});
      expected.replace(offset, length, text);
      if (offset == 0) break;
      end = offset - 1;
    }
    REQUIRE(read_all(body, list) == expected);
  }
}

}  // namespace
}  // namespace flexd
