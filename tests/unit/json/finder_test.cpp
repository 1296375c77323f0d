#include "flexd/json/finder.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace flexd::json {
namespace {

constexpr Names kNames = {"model", "stream", "start_within", "service_tier"};
enum : size_t { kModel, kStream, kStartWithin, kServiceTier };

std::string nest(std::string_view kind, size_t count) {
  if (kind == "open") return "{\"a\":" + std::string(count - 1, '[');
  if (kind == "top") return std::string(count, '[') + std::string(count, ']');
  std::string open = "{\"a\":";
  std::string close;
  for (size_t level = 1; level < count; ++level) {
    const bool object = kind == "object" || (kind == "mixed" && level % 2 == 0);
    open += object ? "{\"a\":" : "[";
    close.insert(close.begin(), object ? '}' : ']');
  }
  return open + "1" + close + "}";
}

std::string document_of(const std::string& field) {
  if (field.starts_with('@')) {
    const size_t colon = field.find(':');
    return nest(std::string_view(field).substr(1, colon - 1), std::stoul(field.substr(colon + 1)));
  }
  std::string out;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\') {
      out += field[i];
    } else if (field[i + 1] == '\\') {
      out += '\\';
      i += 1;
    } else {
      out += static_cast<char>(std::stoul(field.substr(i + 2, 2), nullptr, 16));
      i += 3;
    }
  }
  return out;
}

std::string verdict(std::string_view text, const TextKernels& kernels = best_kernels()) {
  const std::vector<char> exact(text.begin(), text.end());
  Fields fields;
  const auto found = find({exact.data(), exact.size()}, kNames, fields, kernels);
  if (found) return "ok";
  CHECK(found.error().offset <= text.size());
  switch (found.error().fault) {
    case Fault::kNotObject:
      return "invalid_body";
    case Fault::kTooDeep:
      return "depth";
    case Fault::kDuplicate:
      return "duplicate:" + std::string(kNames[found.error().field]);
    default:
      return "invalid_json";
  }
}

Fields found_in(std::string_view text) {
  Fields fields;
  REQUIRE(find(text, kNames, fields).has_value());
  return fields;
}

Error error_of(std::string_view text) {
  Fields fields;
  const auto found = find(text, kNames, fields);
  REQUIRE(!found.has_value());
  return found.error();
}

TEST_CASE("conformance/json.tsv") {
  const char* directory = std::getenv("FLEXD_CONFORMANCE_DIR");
  REQUIRE(directory != nullptr);
  std::ifstream table(std::string(directory) + "/json.tsv");
  REQUIRE(table.is_open());
  size_t cases = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const size_t first = line.find('\t');
    const size_t second = line.find('\t', first + 1);
    REQUIRE(second != std::string::npos);
    const std::string id = line.substr(0, first);
    CAPTURE(id);
    const std::string text = document_of(line.substr(first + 1, second - first - 1));
    for (const TextKernels& kernels : supported_kernels()) {
      CHECK(verdict(text, kernels) == line.substr(second + 1));
    }
    ++cases;
  }
  CHECK(cases >= 120);
}

TEST_CASE("spans of members and values, and the commas beside them") {
  const std::string_view text = "{ \"x\":1 , \"model\" : \"gpt-5\" ,\"stream\":\ttrue,\"y\":[ ] } ";
  const Fields fields = found_in(text);
  CHECK(fields.member_count() == 4);
  CHECK(fields.object().of(text) == text.substr(0, text.size() - 1));
  REQUIRE(fields.has(kModel));
  const Field& model = *fields[kModel];
  CHECK(model.member.of(text) == "\"model\" : \"gpt-5\"");
  CHECK(model.value.of(text) == "\"gpt-5\"");
  CHECK(model.type == Type::kString);
  CHECK(model.position == 1);
  CHECK(model.comma_before == text.find(','));
  CHECK(model.comma_after == text.find(",\"stream"));
  const Field& stream = *fields[kStream];
  CHECK(stream.value.of(text) == "true");
  CHECK(stream.type == Type::kBool);
  CHECK(stream.comma_before == model.comma_after);
  CHECK(stream.comma_after == text.find(",\"y\""));
  CHECK(fields[kStartWithin] == nullptr);
}

TEST_CASE("first, last and only members know which commas they lack") {
  const Fields only = found_in("{\"model\":1}");
  CHECK(only[kModel]->comma_before == kNoComma);
  CHECK(only[kModel]->comma_after == kNoComma);
  const Fields two = found_in("{\"model\":1,\"stream\":2}");
  CHECK(two[kModel]->comma_before == kNoComma);
  CHECK(two[kModel]->comma_after == 10);
  CHECK(two[kStream]->comma_before == 10);
  CHECK(two[kStream]->comma_after == kNoComma);
}

TEST_CASE("values of every type have their exact span") {
  const auto value_of = [](std::string_view value, Type type) {
    const std::string text = "{\"stream\": " + std::string(value) + " }";
    const Fields fields = found_in(text);
    CHECK(fields[kStream]->value.of(text) == value);
    CHECK(fields[kStream]->type == type);
  };
  value_of("null", Type::kNull);
  value_of("false", Type::kBool);
  value_of("-1.5e+10", Type::kNumber);
  value_of("\"a\\\"b\"", Type::kString);
  value_of("{\"model\":[1,{}]}", Type::kObject);
  value_of("[ [ ] , { \"stream\" : 1 } ]", Type::kArray);
}

TEST_CASE("names are compared unescaped, and only at the top") {
  const std::string_view text =
      "{\"x\":{\"model\":\"nested\",\"model\":2},\"mod\\u0065l\":\"m\",\"\\u0073tream\":true}";
  const Fields fields = found_in(text);
  CHECK(fields[kModel]->member.of(text) == "\"mod\\u0065l\":\"m\"");
  CHECK(fields[kStream]->value.of(text) == "true");
}

TEST_CASE("a key longer than any name, with escapes, is no listed name") {
  const std::string text = "{\"\\u006dodel" + std::string(200, 'x') + "\":1}";
  CHECK(!found_in(text).has(kModel));
}

TEST_CASE("errors say where and what") {
  CHECK(error_of("{\"a\":01}").offset == 6);
  CHECK(error_of("{\"a\":1").offset == 6);
  CHECK(error_of("{\"a\":\"b\n\"}").offset == 7);
  const Error utf8 = error_of("{\"a\":\"\xC3\xA9\xFF\"}");
  CHECK(utf8.fault == Fault::kUtf8);
  CHECK(utf8.offset == 8);
  const Error twice = error_of("{\"stream\":1,\"stream\":2}");
  CHECK(twice.fault == Fault::kDuplicate);
  CHECK(twice.field == kStream);
  CHECK(twice.offset == 12);
  const Error deep = error_of(nest("array", kDepthMax + 1));
  CHECK(deep.fault == Fault::kTooDeep);
  CHECK(error_of(" [1]").fault == Fault::kNotObject);
  CHECK(error_of(" [1").fault == Fault::kSyntax);
}

TEST_CASE("one Fields may be used again") {
  Fields fields;
  REQUIRE(find("{\"model\":1}", kNames, fields).has_value());
  REQUIRE(find("{\"stream\":1}", kNames, fields).has_value());
  CHECK(!fields.has(kModel));
  CHECK(fields.has(kStream));
  CHECK(fields.member_count() == 1);
}

TEST_CASE("every prefix of a document is refused, in an exactly sized buffer") {
  const std::string text =
      "{\"model\":\"g\\u00e9\xC3\xA9\",\"x\":[1,-2.5e3,true,false,null,{\"y\":\"" +
      std::string(70, 'z') + "\"}]}";
  REQUIRE(verdict(text) == "ok");
  for (size_t size = 0; size < text.size(); ++size) {
    for (const TextKernels& kernels : supported_kernels()) {
      REQUIRE(verdict(std::string_view(text).substr(0, size), kernels) == "invalid_json");
    }
  }
}

TEST_CASE("names inside are noted, so that none is missed") {
  const auto may_have = [](std::string_view text, std::string_view name) {
    Fields fields;
    REQUIRE(find(text, kNames, fields).has_value());
    return fields.may_have_inside(name);
  };
  CHECK_FALSE(may_have("{}", "name"));
  CHECK_FALSE(may_have("{\"name\":\"name\",\"x\":[\"name\"]}", "name"));
  for (const std::string_view text : {
           "{\"x\":{\"name\":1}}",
           "{\"x\":[[{\"a\":[],\"\":{},\"name\" : {}}]]}",
           "{\"x\":{\"a\":{\"b\":{}},\"name\":null}}",
           "{\"x\":{\"\\u006eame\":1}}",
           "{\"x\":{\"nam\\u0065\":1}}",
           "{\"\\u0078\":{\"a\":1}}",
       }) {
    CAPTURE(text);
    CHECK(may_have(text, "name"));
  }
  CHECK_FALSE(may_have("{\"x\":{\"other\":\"\\n\"}}", "name"));
  // What was noted of one document is forgotten with the next.
  Fields fields;
  REQUIRE(find("{\"x\":{\"name\":\"\\u0020\"}}", kNames, fields).has_value());
  REQUIRE(find("{\"x\":{\"a\":1}}", kNames, fields).has_value());
  CHECK_FALSE(fields.may_have_inside("name"));
  // Names of every length and first letter.
  for (size_t size = 1; size < 300; ++size) {
    const std::string name = static_cast<char>('A' + size % 58) + std::string(size - 1, 'x');
    if (name.front() == '\\') continue;
    CHECK(may_have("{\"x\":{\"" + name + "\":1}}", name));
  }
}

TEST_CASE("thirty-two names") {
  constexpr Names kMany = {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "b0", "b1", "b2",
                           "b3", "b4", "b5", "b6", "b7", "c0", "c1", "c2", "c3", "c4", "c5",
                           "c6", "c7", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};
  Fields fields;
  REQUIRE(find("{\"d7\":1,\"a0\":2,\"e0\":3}", kMany, fields).has_value());
  CHECK(fields.has(31));
  CHECK(fields.has(0));
  CHECK(!fields.has(30));
}

TEST_CASE("validate names the type at the top") {
  CHECK(validate(" [1] ") == Type::kArray);
  CHECK(validate("\"x\"") == Type::kString);
  CHECK(validate("{\"model\":1,\"model\":2}") == Type::kObject);
  CHECK(!validate("[1").has_value());
}

}  // namespace
}  // namespace flexd::json
