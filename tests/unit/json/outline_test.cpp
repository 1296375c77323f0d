#include "flexd/json/outline.hpp"

#include <doctest/doctest.h>

#include <string>

#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::json {
namespace {

constexpr Names kNames = {"a", "b"};

// walks_alike tells whether a walk finds the same with the outline as without it, at all levels.
bool walks_alike(Value value, const Outline& outline) {
  Members told(value, &outline);
  for (const Member& member : Members(value)) {
    if (!told.next() || told.member().name.text.data() != member.name.text.data() ||
        told.member().name.text != member.name.text ||
        told.member().value.text != member.value.text || !walks_alike(member.value, outline)) {
      return false;
    }
  }
  Elements listed(value, &outline);
  for (const Value element : Elements(value)) {
    if (!listed.next() || listed.element().text != element.text || !walks_alike(element, outline)) {
      return false;
    }
  }
  return !told.next() && !listed.next();
}

std::string text_of(size_t bytes) {
  return '"' + std::string(bytes - 2, 'x') + '"';
}

TEST_CASE("the ends of long values are known, those of short ones are not") {
  const std::string shorter = text_of(Outline::kLongBytes + 1);
  const std::string longer = text_of(Outline::kLongBytes + 2);
  const std::string list = "[" + longer + "," + shorter + "]";
  const std::string document = R"({"a":)" + list + R"(,"b":{"c":[]}})";
  Fields fields;
  REQUIRE(find(document, kNames, fields));
  const Outline& outline = fields.outline();
  const char* const begin = document.data();
  const auto end_at = [&](size_t at) -> size_t {
    const char* const end = outline.end_of(begin + at);
    return end == nullptr ? 0 : static_cast<size_t>(end - begin);
  };
  CHECK(end_at(0) == document.size());
  CHECK(end_at(5) == 5 + list.size());
  CHECK(end_at(6) == 6 + longer.size());
  CHECK(end_at(7 + longer.size()) == 0);
  CHECK(end_at(document.find(R"({"c")")) == 0);
  CHECK(outline.size() == 3);
  // Other places, in the document and elsewhere.
  CHECK(end_at(1) == 0);
  CHECK(outline.end_of(nullptr) == nullptr);
  CHECK(outline.end_of(list.data()) == nullptr);
  CHECK(walks_alike(Value{document}, outline));
}

TEST_CASE("a long value after short ones is noted in its place") {
  const std::string document = R"([{"x":[1]},{"y":")" + std::string(40, 'y') + R"("},[[],{}],")" +
                               std::string(70, '\\') + "\"]";
  const std::string whole = R"({"a":)" + document + "}";
  Fields fields;
  REQUIRE(find(whole, kNames, fields));
  CHECK(fields.outline().size() == 5);
  CHECK(walks_alike(Value{whole}, fields.outline()));
}

TEST_CASE("of more long values than there is room for the first are known") {
  std::string list;
  for (size_t i = 0; i < Outline::kEntriesMax + 50; ++i) {
    if (i > 0) list += ", ";
    list += i % 3 == 0 ? "[" + text_of(50) + "]" : text_of(50);
  }
  const std::string document = R"({"a":[)" + list + R"(],"b":[)" + list + "]}";
  Fields fields;
  REQUIRE(find(document, kNames, fields));
  CHECK(fields.outline().size() == Outline::kEntriesMax);
  CHECK(fields.outline().end_of(document.data()) == document.data() + document.size());
  const Value last = Value{fields[1]->value.of(document)};
  CHECK(fields.outline().end_of(last.text.data()) == nullptr);
  CHECK(walks_alike(Value{document}, fields.outline()));
}

TEST_CASE("deep nesting fills the outline and empties it again") {
  // Every bracket is noted when it opens; most turn out to be short.
  std::string deep = R"({"a":)";
  deep += std::string(kDepthMax - 1, '[') + std::string(kDepthMax - 1, ']');
  deep += R"(,"b":)" + text_of(100) + "}";
  Fields fields;
  REQUIRE(find(deep, kNames, fields));
  CHECK(fields.outline().end_of(deep.data() + fields[1]->value.begin) ==
        deep.data() + fields[1]->value.end);
  CHECK(walks_alike(Value{deep}, fields.outline()));
}

TEST_CASE("the next document makes the outline its own") {
  Fields fields;
  const std::string first = R"({"a":)" + text_of(100) + "}";
  const std::string second = R"({"b":[1,2,3]})";
  REQUIRE(find(first, kNames, fields));
  CHECK(fields.outline().size() == 2);
  REQUIRE(find(second, kNames, fields));
  CHECK(fields.outline().size() == 0);
  CHECK(fields.outline().end_of(first.data()) == nullptr);
}

TEST_CASE("an end behind the text at hand is not believed") {
  const std::string document = R"({"a":)" + text_of(100) + R"(,"b":1})";
  Fields fields;
  REQUIRE(find(document, kNames, fields));
  Members cut(Value{std::string_view(document).substr(0, 60)}, &fields.outline());
  CHECK_FALSE(cut.next());
}

}  // namespace
}  // namespace flexd::json
