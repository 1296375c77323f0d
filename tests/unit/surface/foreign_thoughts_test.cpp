#include "flexd/surface/foreign_thoughts.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace flexd::surface {
namespace {

using errors::Dialect;

std::string dropped(Dialect dialect, std::string_view body) {
  BlockPool pool(1U << 20U);
  Buffer out(pool);
  const Dropped what = drop_foreign_thoughts(dialect, body, out);
  if (what == Dropped::nothing) {
    CHECK(out.empty());
    return std::string(body);
  }
  REQUIRE(what == Dropped::some);
  return std::string(out.view());
}

struct Case {
  Dialect dialect;
  std::string_view body;
  std::string_view expected;
};

TEST_CASE("wrapped thoughts are cut out, and every other byte stays") {
  const Case cases[] = {
      {Dialect::responses,
       R"({"input":[ {"type":"reasoning","encrypted_content":"gw1.x"} , "x" ],"a":1})",
       R"({"input":[ "x" ],"a":1})"},
      {Dialect::responses, R"({"input":["x" , {"encrypted_content":"gw1.x","type":"reasoning"} ]})",
       R"({"input":["x" ]})"},
      {Dialect::responses, R"({"input":[{"type":"reasoning","encrypted_content":"gw1.x"}]})",
       R"({"input":[]})"},
      {Dialect::interactions,
       R"({"input":[1,{"type":"thought","signature":"gw1.x"},)"
       R"({"signature":"gw1.y","type":"thought"},2,{"type":"thought","signature":"gw1.x"}]})",
       R"({"input":[1,2]})"},
      {Dialect::messages,
       R"({"messages":[{"content":"hi"},{"role":"assistant","content":[)"
       R"({"type":"thinking","thinking":"t","signature":"gw1.x"}, {"type":"text"}]},3]})",
       R"({"messages":[{"content":"hi"},{"role":"assistant","content":[)"
       R"({"type":"text"}]},3]})"},
      {Dialect::messages,
       R"({"messages":[1,{"content":[{"type":"redacted_thinking","data":"gw1.x"}]}, )"
       R"({"content":[2,{"type":"thinking","signature":"gw1.x"}]}]})",
       R"({"messages":[1,{"content":[2]}]})"},
      {Dialect::messages, R"({"messages":[{"content":[{"type":"thinking","signature":"gw1.x"}]}]})",
       R"({"messages":[]})"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.body);
    CHECK(dropped(test.dialect, test.body) == test.expected);
    json::Fields fields;
    REQUIRE(json::find(test.body, json::Names{}, fields).has_value());
    CHECK(may_hold_thoughts(fields));
  }
}

TEST_CASE("a body that has no place for a thought holds none") {
  json::Fields fields;
  REQUIRE(
      json::find(R"({"input":[{"role":"user","content":"gw1."}],"data":1})", json::Names{}, fields)
          .has_value());
  CHECK_FALSE(may_hold_thoughts(fields));
}

TEST_CASE("a provider's own thoughts and what only looks like one stay") {
  const Case cases[] = {
      {Dialect::responses, R"({"input":[{"type":"reasoning","encrypted_content":"gAAA"},"gw1."]})",
       ""},
      {Dialect::responses, R"({"input":"gw1."})", ""},
      {Dialect::responses, R"({"input":[{"type":"message","encrypted_content":"gw1.x"}]})", ""},
      {Dialect::messages,
       R"({"messages":[{"content":[{"type":"thinking","signature":"Eq"},{"text":"gw1."}]}]})", ""},
      {Dialect::messages, R"({"messages":[{"content":[]},{"content":"gw1."}]})", ""},
      {Dialect::interactions, R"({"input":{"type":"text","text":"gw1."},"messages":[]})", ""},
  };
  for (const Case& test : cases) {
    CAPTURE(test.body);
    CHECK(dropped(test.dialect, test.body) == test.body);
  }
}

TEST_CASE("a pool without room is told") {
  BlockPool pool(0);
  Buffer out(pool);
  const std::string_view body = R"({"input":[{"type":"thought","signature":"gw1.x"}]})";
  CHECK(drop_foreign_thoughts(Dialect::interactions, body, out) == Dropped::no_room);
}

}  // namespace
}  // namespace flexd::surface
