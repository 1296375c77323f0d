// What the translation of requests is made of, part by part.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "flexd/surface/blob.hpp"
#include "model_traits.hpp"
#include "request/strict_schema.hpp"

namespace flexd::surface {
namespace {

using errors::Provider;

TEST_CASE("what a model of Anthropic's takes") {
  constexpr ClaudeTraits kOld{.takes_effort = false, .takes_sampling = true};
  constexpr ClaudeTraits k46{.takes_effort = true, .takes_sampling = true};
  constexpr ClaudeTraits kNew{.takes_effort = true, .takes_sampling = false};
  struct Row {
    std::string_view name;
    ClaudeTraits traits;
  };
  constexpr Row kRows[] = {
      {"claude-2.1", kOld},
      {"claude-instant-1.2", kOld},
      {"claude-3-opus-20240229", kOld},
      {"claude-3-5-haiku-latest", kOld},
      {"claude-3-7-sonnet-20250219", kOld},
      {"claude-sonnet-4-20250514", kOld},
      {"claude-opus-4-0", kOld},
      {"claude-opus-4-1-20250805", kOld},
      {"claude-haiku-4-5-20251001", kOld},
      {"claude-sonnet-4-5", kOld},
      {"claude-sonnet-4-5@20250929", kOld},
      {"claude-opus-4-6", k46},
      {"claude-sonnet-4-6-20260217", k46},
      {"claude-opus-4-7", kNew},
      {"claude-opus-4-10", kNew},
      {"claude-opus-5", kNew},
      {"claude-sonnet-5-20261001", kNew},
      {"claude-fable-10", kNew},
      {"claude-", kNew},
      {"claude-next", kNew},
      {"claude-20270101", kNew},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    CHECK(claude_traits(row.name) == row.traits);
  }
}

bool is_strict(std::string_view schema) {
  return is_strict_schema(json::Value{schema});
}

// object_of is an object's schema with one property.
std::string object_of(std::string_view property) {
  return R"({"type":"object","properties":{"a":)" + std::string(property) +
         R"(},"required":["a"],"additionalProperties":false})";
}

TEST_CASE("which schemas are strict") {
  CHECK(is_strict(R"({"type":"object","additionalProperties":false})"));
  CHECK(is_strict(R"({"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#"}},)"
                  R"("required":["a","b"],"additionalProperties":false})"));
  CHECK(is_strict(R"({"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#"}},)"
                  R"("required":["b","a"],"additionalProperties":false})"));
  CHECK_FALSE(is_strict(R"({"type":"object"})"));
  CHECK_FALSE(is_strict(R"({"type":"object","additionalProperties":true})"));
  CHECK_FALSE(is_strict(R"({"type":"object","additionalProperties":{}})"));
  CHECK_FALSE(is_strict(R"({"type":"object","properties":{"a":{"type":"string"}},)"
                        R"("additionalProperties":false})"));
  CHECK_FALSE(
      is_strict(R"({"type":"object","properties":{"a":{"type":"string"},)"
                R"("b":{"type":"string"}},"required":["a"],"additionalProperties":false})"));
  // Objects further in.
  CHECK(is_strict(object_of(object_of(R"({"type":["string","null"]})"))));
  CHECK_FALSE(is_strict(object_of(R"({"type":"object"})")));
  CHECK_FALSE(is_strict(object_of(R"({"type":["null","object"]})")));
  CHECK_FALSE(is_strict(object_of(R"({"type":"array","items":{"type":"object"}})")));
  CHECK_FALSE(is_strict(object_of(R"({"anyOf":[{"type":"string"},{"type":"object"}]})")));
  CHECK_FALSE(is_strict(object_of(R"({"$ref":"#/$defs/x","$defs":{"x":{"type":"object"}}})")));
  CHECK_FALSE(is_strict(object_of(R"({"type":"string","definitions":{"x":{"type":"object"}}})")));
  // A property that is called like a keyword is none.
  CHECK(is_strict(R"({"type":"object","properties":{"oneOf":{"type":"string"}},)"
                  R"("required":["oneOf"],"additionalProperties":false})"));
}

TEST_CASE("what OpenAI does not take in a strict schema") {
  // The root is an object.
  CHECK_FALSE(is_strict(R"({"type":"string"})"));
  CHECK_FALSE(is_strict(R"({"type":"array","items":{"type":"string"}})"));
  CHECK_FALSE(is_strict(R"({"anyOf":[{"type":"object","additionalProperties":false}]})"));
  for (const char* schema : {"{}", "[]", "", "true"}) CHECK_FALSE(is_strict(schema));
  // A schema says what it describes.
  CHECK(is_strict(object_of(R"({"anyOf":[{"type":"string"}]})")));
  CHECK_FALSE(is_strict(object_of("{}")));
  CHECK_FALSE(is_strict(object_of(R"({"description":"any"})")));
  for (const char* keyword :
       {"oneOf", "allOf", "not", "if", "default", "prefixItems", "contains", "uniqueItems",
        "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"}) {
    CAPTURE(keyword);
    CHECK_FALSE(is_strict(object_of(R"({"type":"string",")" + std::string(keyword) + R"(":[]})")));
  }
}

TEST_CASE("a schema that takes too much work is not strict") {
  std::string deep = R"({"type":"string"})";
  for (int i = 2; i < 16; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  CHECK(is_strict(object_of(deep)));
  CHECK_FALSE(is_strict(object_of(R"({"type":"array","items":)" + deep + "}")));

  const auto wide = [](int count, bool reversed) {
    std::string properties;
    std::string required;
    for (int i = 0; i < count; ++i) {
      const std::string name = "\"p" + std::to_string(i) + "\"";
      properties += (i == 0 ? "" : ",") + name + R"(:{"type":"string"})";
      required =
          reversed ? name + (i == 0 ? "" : ",") + required : required + (i == 0 ? "" : ",") + name;
    }
    return R"({"type":"object","additionalProperties":false,"properties":{)" + properties +
           R"(},"required":[)" + required + "]}";
  };
  CHECK(is_strict(wide(1000, false)));
  CHECK(is_strict(wide(100, true)));
  CHECK_FALSE(is_strict(wide(1000, true)));
}

struct StringSink {
  std::string text;
  void append(std::string_view piece) { text += piece; }
};

std::string wrap(std::string_view document, std::string_view head = "gw1.gemini.") {
  StringSink sink{std::string(head)};
  Base64UrlWriter<StringSink> writer(sink);
  writer.append(document);
  writer.finish();
  return sink.text;
}

TEST_CASE("blobs come back as they were, behind what the space held") {
  BlockPool pool(1U << 20U);
  for (size_t size = 0; size < 600; ++size) {
    const std::string data(size, 'd');
    StringSink sink;
    write_blob(sink, Provider::gemini,
               {.type = "thought", .data = data, .model = "m\\u00e9", .text = "x\\n\xc3\xa9"});
    Buffer space(pool);
    REQUIRE(space.append("before"));
    const auto blob = unwrap_blob(sink.text, Provider::gemini, space);
    REQUIRE(blob.has_value());
    CHECK(blob->type == "thought");
    CHECK(blob->data == data);
    CHECK(blob->model == "m\\u00e9");
    CHECK(blob->text == "x\\n\xc3\xa9");
    CHECK(space.view().starts_with("before"));
  }
}

TEST_CASE("what is no blob of the provider's is nothing") {
  BlockPool pool(1U << 20U);
  const auto is_read = [&pool](const std::string& text) {
    Buffer space(pool);
    return unwrap_blob(text, Provider::gemini, space).has_value();
  };
  const std::string_view good = R"({"m":"m","t":"thought","d":"x"})";
  CHECK(is_read(wrap(good)));
  CHECK(is_read(wrap(R"({"t":"","d":""})")));
  CHECK_FALSE(is_read(""));
  CHECK_FALSE(is_read("gw1."));
  CHECK_FALSE(is_read("gw1.gemini."));
  CHECK_FALSE(is_read(wrap(good, "gw1.openai.")));
  CHECK_FALSE(is_read(wrap(good, "gw2.gemini.")));
  CHECK_FALSE(is_read(wrap(good, "gw1.gemini")));
  CHECK_FALSE(is_read(wrap(good) + "="));
  CHECK_FALSE(is_read(wrap(good) + "A"));
  CHECK_FALSE(is_read(wrap(good).substr(0, 30)));
  CHECK_FALSE(is_read(wrap("[]")));
  CHECK_FALSE(is_read(wrap(R"({"t":"thought"})")));
  CHECK_FALSE(is_read(wrap(R"({"d":"x"})")));
  CHECK_FALSE(is_read(wrap(R"({"t":"thought","d":1})")));
  // Nothing that is not good inside a JSON string comes out of one.
  CHECK_FALSE(is_read(wrap("{\"t\":\"thought\",\"d\":\"\xff\"}")));
  CHECK_FALSE(is_read(wrap("{\"t\":\"thought\",\"d\":\"a\nb\"}")));
  CHECK_FALSE(is_read(wrap(R"({"t":"thought","d":"x"},"evil":"y"})")));
}

TEST_CASE("a blob without room is nothing") {
  BlockPool pool(0);
  Buffer space(pool);
  CHECK_FALSE(unwrap_blob(wrap(R"({"t":"a","d":"b"})"), Provider::gemini, space).has_value());
}

}  // namespace
}  // namespace flexd::surface
