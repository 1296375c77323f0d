#include "strict_schema.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace flexd::surface {

namespace {

constexpr json::Names kKeywords = {"type", "properties", "required", "additionalProperties",
                                   "items", "anyOf", "$defs", "definitions", "$ref",
                                   // Not taken in strict schemas.
                                   "oneOf", "allOf", "not", "if", "default", "prefixItems",
                                   "contains", "uniqueItems", "patternProperties", "propertyNames",
                                   "dependentRequired", "dependentSchemas"};
enum Keyword : uint8_t {
  kType,
  kProperties,
  kRequired,
  kAdditionalProperties,
  kItems,
  kAnyOf,
  kDefs,
  kDefinitions,
  kRef,
  kFirstRefused,
  kKeywordCount = kFirstRefused + 12,
};
static_assert(kKeywords.size() == kKeywordCount && kKeywords[kFirstRefused] == "oneOf");

// kStepsMax bounds the comparisons of names: strict schemas list the required properties in the
// order in which they are defined, where one step a property is enough.
constexpr size_t kStepsMax = 20'000;
// kSchemaDepthMax bounds how often the inner text is walked again. OpenAI's own bound is 10.
constexpr size_t kSchemaDepthMax = 16;

// is_object tells a schema's `type` that lets objects in: a word or a list of words.
bool is_object(const json::Value& type) {
  json::Elements words(type);
  while (words.next()) {
    if (words.element().equals("object")) return true;
  }
  return type.equals("object");
}

bool has_refused(const json::Value (&found)[kKeywordCount]) {
  return std::any_of(found + kFirstRefused, found + kKeywordCount,
                     [](const json::Value& keyword) { return keyword.exists(); });
}

class Checker {
 public:
  bool is_strict(const json::Value& schema, size_t depth) {
    if (!schema.exists()) return true;
    if (depth == kSchemaDepthMax) return false;
    json::Value found[kKeywordCount];
    json::members_of(schema, kKeywords, found);
    const bool says_what = found[kType].exists() || found[kAnyOf].exists() || found[kRef].exists();
    if (!says_what || has_refused(found)) return false;
    if (found[kProperties].exists() || is_object(found[kType])) {
      if (found[kAdditionalProperties].to_bool() != false) return false;
      if (!requires_all(found[kProperties], found[kRequired])) return false;
    }
    for (const json::Value& choice : json::Elements(found[kAnyOf])) {
      if (!is_strict(choice, depth + 1)) return false;
    }
    return is_strict(found[kItems], depth + 1) && all_strict(found[kProperties], depth + 1) &&
           all_strict(found[kDefs], depth + 1) && all_strict(found[kDefinitions], depth + 1);
  }

 private:
  bool all_strict(const json::Value& map, size_t depth) {
    for (const json::Member& member : json::Members(map)) {
      if (!is_strict(member.value, depth)) return false;
    }
    return true;
  }

  bool requires_all(const json::Value& properties, const json::Value& required) {
    json::Elements in_order(required);
    for (const json::Member& property : json::Members(properties)) {
      const bool is_next = in_order.next() && in_order.element().text == property.name.text;
      if (!is_next && !contains(required, property.name)) return false;
    }
    return true;
  }

  bool contains(const json::Value& names, const json::Value& name) {
    for (const json::Value& element : json::Elements(names)) {
      if (++steps_ > kStepsMax) return false;
      if (element.text == name.text) return true;
    }
    return false;
  }

  size_t steps_ = 0;
};

}  // namespace

bool is_strict_schema(const json::Value& schema) {
  return schema["type"].equals("object") && Checker().is_strict(schema, 0);
}

}  // namespace flexd::surface
