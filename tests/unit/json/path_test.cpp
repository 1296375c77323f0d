#include "flexd/json/path.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

#include "flexd/json/cursor.hpp"

namespace flexd::json {
namespace {

// path_to is the path of the first occurrence of `mark`.
std::string path_to(std::string_view document, std::string_view mark, size_t room = 128) {
  std::array<char, 128> space;
  const size_t offset = document.find(mark);
  REQUIRE(offset != std::string_view::npos);
  return std::string(path_of(document, document.data() + offset, std::span(space).first(room)));
}

constexpr std::string_view kDocument =
    " { \"model\" : \"m\", \"messages\" : [ {\"role\":\"user\"} , {\"content\":[ \"a\" ,\n"
    "{\"type\":\"image\",\"x\":[[1,22],[]]}]} ],\"na\\\"me\":{\"\":3}, \"last\":null } ";

TEST_CASE("path: members and elements") {
  CHECK(path_to(kDocument, "\"m\"") == "model");
  CHECK(path_to(kDocument, "[ {") == "messages");
  CHECK(path_to(kDocument, "{\"role") == "messages[0]");
  CHECK(path_to(kDocument, "\"user\"") == "messages[0].role");
  CHECK(path_to(kDocument, "\"a\"") == "messages[1].content[0]");
  CHECK(path_to(kDocument, "\"image\"") == "messages[1].content[1].type");
  CHECK(path_to(kDocument, "22") == "messages[1].content[1].x[0][1]");
  CHECK(path_to(kDocument, "[]") == "messages[1].content[1].x[1]");
  CHECK(path_to(kDocument, "null") == "last");
}

TEST_CASE("path: a place inside a value, and one at a name") {
  CHECK(path_to(kDocument, "mage\"") == "messages[1].content[1].type");
  CHECK(path_to(kDocument, "ull") == "last");
  CHECK(path_to(kDocument, "\"type\"") == "messages[1].content[1].type");
  CHECK(path_to(kDocument, " , {\"content") == "messages");
}

TEST_CASE("path: names stand as they are escaped, and may be empty") {
  CHECK(path_to(kDocument, "{\"\":3}") == "na\\\"me");
  CHECK(path_to(kDocument, "3}") == "na\\\"me.");
}

TEST_CASE("path: the document itself and what is not in it are empty") {
  CHECK(path_to(kDocument, "{ \"model") == "");
  CHECK(path_to(kDocument, " { \"model") == "");
  CHECK(path_to(kDocument, ", \"last") == "");
  CHECK(path_to("[1]", "1") == "[0]");
  std::array<char, 8> space;
  const std::string elsewhere = "x";
  CHECK(path_of(kDocument, elsewhere.data(), space).empty());
  CHECK(path_of(kDocument, kDocument.data() + kDocument.size(), space).empty());
  CHECK(path_of(kDocument, nullptr, space).empty());
  CHECK(path_of("", nullptr, space).empty());
}

TEST_CASE("path: cut where the room ends") {
  const std::string whole = "messages[1].content[1].x[0][1]";
  for (size_t room = 0; room <= whole.size(); ++room) {
    CHECK(path_to(kDocument, "22", room) == whole.substr(0, room));
  }
}

TEST_CASE("path: the deepest place of the deepest document") {
  std::string document = std::string(kDepthMax, '[') + "7" + std::string(kDepthMax, ']');
  std::string expected;
  for (size_t i = 0; i < kDepthMax; ++i) expected += "[0]";
  std::array<char, 3 * kDepthMax> space;
  CHECK(path_of(document, document.data() + kDepthMax, space) == expected);
}

}  // namespace
}  // namespace flexd::json
