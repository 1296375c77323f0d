#include "flexd/surface/request.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/edits.hpp"

namespace flexd::surface {
namespace {

using errors::Code;
using errors::Variant;

const FlexModels& flex_models() {
  static const FlexModels models = FlexModels::built_in();
  return models;
}

struct Checked {
  std::unique_ptr<RequestFacts> facts = std::make_unique<RequestFacts>();
  std::optional<errors::Error> error;
};

// check runs both steps; `body` outlives the result.
Checked check(std::string_view body, std::string_view default_start_within = {}) {
  Checked checked;
  auto read = read_request(errors::Dialect::responses, body, *checked.facts);
  if (read) {
    read = check_request(*checked.facts, {.flex_models = flex_models(),
                                          .default_start_within = default_start_within});
  }
  if (!read) checked.error = read.error();
  return checked;
}

std::string edited(std::string_view body, const SpliceList& splices) {
  SplicedReader reader(body, splices);
  std::string out;
  const uint64_t announced = reader.size_left();
  for (std::string_view piece = reader.next(7); !piece.empty(); piece = reader.next(7)) {
    out += piece;
  }
  CHECK(out.size() == announced);
  return out;
}

TEST_CASE("request: the first fault in the promised order answers") {
  struct Case {
    const char* id;
    const char* body;
    Code code;
    Variant variant;
    const char* param;
  };
  // Each body has the fault of its own line and, where it can, those of the lines below it.
  const Case cases[] = {
      {"syntax", R"({"model":"gpt-5.5",})", Code::invalid_json, Variant::none, ""},
      {"empty", "", Code::invalid_json, Variant::none, ""},
      {"duplicate", R"({"model":"a","model":"b"})", Code::invalid_json, Variant::duplicate_field,
       "model"},
      {"duplicate-escaped", R"({"service_tier":null,"service_\u0074ier":null})", Code::invalid_json,
       Variant::duplicate_field, "service_tier"},
      {"utf8", "{\"model\":\"\xff\"}", Code::invalid_json, Variant::invalid_utf8, ""},
      {"not-object", R"([{"model":"gpt-5.5"}])", Code::invalid_body, Variant::none, ""},
      {"null-body", "null", Code::invalid_body, Variant::none, ""},
      {"no-model", R"({"start_within":7,"service_tier":"flex"})", Code::missing_model,
       Variant::none, ""},
      {"empty-model", R"({"model":""})", Code::missing_model, Variant::none, ""},
      {"number-model", R"({"model":5})", Code::missing_model, Variant::none, ""},
      {"null-model", R"({"model":null})", Code::missing_model, Variant::none, ""},
      {"nested-model", R"({"x":{"model":"gpt-5.5"}})", Code::missing_model, Variant::none, ""},
      {"no-start-within", R"({"model":"gpt-4o","service_tier":"flex"})", Code::missing_start_within,
       Variant::none, ""},
      {"null-start-within", R"({"model":"gpt-4o","start_within":null,"service_tier":"flex"})",
       Code::invalid_start_within, Variant::start_within_not_string, ""},
      {"number-start-within", R"({"model":"gpt-4o","start_within":30})", Code::invalid_start_within,
       Variant::start_within_not_string, ""},
      {"bad-start-within", R"({"model":"gpt-4o","start_within":"30s","service_tier":"flex"})",
       Code::invalid_start_within, Variant::none, ""},
      {"long-start-within",
       R"({"model":"gpt-4o","start_within":"\u0030\u0030\u0030\u0030h-00m-30s and more"})",
       Code::invalid_start_within, Variant::none, ""},
      {"short-window", R"({"model":"gpt-5.5","start_within":"00h-00m-04s"})",
       Code::invalid_start_within, Variant::start_within_out_of_range, ""},
      {"service-tier", R"({"model":"gpt-4o","start_within":"00h-00m-30s","service_tier":"auto"})",
       Code::service_tier_not_allowed, Variant::none, ""},
      {"service-tier-false", R"({"model":"gpt-5.5","start_within":"auto","service_tier":false})",
       Code::service_tier_not_allowed, Variant::none, ""},
      {"gemini-auto", R"({"model":"gemini-x","start_within":"auto","background":true})",
       Code::auto_unsupported_for_gemini, Variant::none, ""},
      {"claude-flex", R"({"model":"claude-x","start_within":"00h-00m-30s","cache":1})",
       Code::flex_unsupported_for_anthropic, Variant::none, ""},
      {"not-flex", R"({"model":"gpt-4o","start_within":"00h-00m-30s","background":true})",
       Code::model_not_flex_capable, Variant::none, ""},
      {"background", R"({"model":"gpt-4o","start_within":"auto","background":true,"retry":1})",
       Code::unsupported_parameter, Variant::background, "background"},
      {"background-truthy", R"({"model":"gpt-4o","start_within":"auto","background":1})",
       Code::unsupported_parameter, Variant::background, "background"},
      {"reserved", R"({"model":"claude-x","start_within":"auto","include_cost":true})",
       Code::unsupported_parameter, Variant::reserved_field, "include_cost"},
      {"reserved-object", R"({"model":"gpt-4o","start_within":"auto","retry":{}})",
       Code::unsupported_parameter, Variant::reserved_field, "retry"},
      {"reserved-empty", R"({"model":"gpt-4o","start_within":"auto","trace_storage":""})",
       Code::unsupported_parameter, Variant::reserved_field, "trace_storage"},
      {"max-tokens", R"({"model":"claude-x","start_within":"default"})", Code::missing_max_tokens,
       Variant::none, "max_output_tokens"},
      {"max-tokens-null",
       R"({"model":"claude-x","start_within":"default","max_output_tokens":null})",
       Code::missing_max_tokens, Variant::none, "max_output_tokens"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    const Checked checked = check(test.body);
    REQUIRE(checked.error);
    CHECK(checked.error->name() == errors::row(test.code).name);
    CHECK(checked.error->variant == test.variant);
    CHECK(checked.error->param == test.param);
  }
}

TEST_CASE("request: details for the messages") {
  CHECK(check(R"({"model":"gpt-5.5",})").error->detail == "it breaks the grammar at byte 19");
  CHECK(check(R"({"model":"gpt-5.5")").error->detail == "it ends too early");
  CHECK(check(R"({"model":"gpt-4o","start_within":"00h-00m-30s"})").error->detail == "gpt-4o");
  const std::string deep =
      R"({"model":"a","x":)" + std::string(128, '[') + std::string(128, ']') + "}";
  CHECK(check(deep).error->variant == Variant::too_deep);
}

TEST_CASE("request: what is read") {
  const Checked plain = check(R"({"model":"gpt-5.5","start_within":"00h-00m-30s","input":"hi"})");
  REQUIRE(!plain.error);
  CHECK(plain.facts->model == "gpt-5.5");
  CHECK(plain.facts->races());
  CHECK(plain.facts->start_within.duration_ns == 30'000'000'000U);
  CHECK(!plain.facts->stream);
  CHECK(!plain.facts->conversation);
  const Checked full =
      check(R"({"mod\u0065l":"g\u0070t-5.5","start\u005fwithin":"\u0061uto","stream":true,)"
            R"("conversation":"conv_1","background":false,"cache":null,"service_tier":null})");
  REQUIRE(!full.error);
  CHECK(full.facts->model == "gpt-5.5");
  CHECK(full.facts->tier == Tier::automatic);
  CHECK(full.facts->stream);
  CHECK(full.facts->conversation);
  for (const char* stream : {"null", "false", "1", "\"true\"", "{}"}) {
    const std::string body =
        std::string(R"({"model":"o3","start_within":"default","conversation":null,"stream":)") +
        stream + "}";
    const Checked checked = check(body);
    REQUIRE(!checked.error);
    CHECK(!checked.facts->stream);
    CHECK(!checked.facts->conversation);
  }
  const Checked claude =
      check(R"({"model":"claude-x","start_within":"priority","max_output_tokens":9})");
  REQUIRE(!claude.error);
  CHECK(claude.facts->provider == errors::Provider::anthropic);
  CHECK(claude.facts->tier == Tier::priority);
}

TEST_CASE("request: a model's name is bounded") {
  const auto body_of = [](const std::string& model) {
    return R"({"model":")" + model + R"(","start_within":"default"})";
  };
  const std::string longest = body_of(std::string(256, 'm'));
  CHECK(!check(longest).error);
  const std::string longer = body_of(std::string(257, 'm'));
  CHECK(check(longer).error->code == Code::missing_model);
  const std::string escaped = body_of("\\u006d" + std::string(256, 'm'));
  CHECK(check(escaped).error->code == Code::missing_model);
}

TEST_CASE("request: a default of the key's") {
  using Kind = StartWithin::Kind;
  const auto kind_of = [](const char* body, const char* fallback) {
    const Checked checked = check(body, fallback);
    REQUIRE(!checked.error);
    return checked.facts->start_within.kind;
  };
  CHECK(kind_of(R"({"model":"gpt-5.5"})", "00h-00m-30s") == Kind::duration);
  CHECK(kind_of(R"({"model":"gpt-5.5","start_within":"auto"})", "00h-00m-30s") == Kind::automatic);
  CHECK(kind_of(R"({"model":"gpt-4o"})", "00h-00m-30s") == Kind::standard);
  CHECK(kind_of(R"({"model":"gemini-x"})", "auto") == Kind::standard);
  CHECK(kind_of(R"({"model":"claude-x","max_output_tokens":1})", "00h-00m-30s") == Kind::standard);
  CHECK(kind_of(R"({"model":"gpt-5.5"})", "gibberish") == Kind::standard);
  // A value in the body wins even where it is at fault.
  CHECK(check(R"({"model":"gpt-5.5","start_within":null})", "default").error->code ==
        Code::invalid_start_within);
  CHECK(check(R"({"model":"gpt-4o","start_within":"00h-00m-30s"})", "default").error->code ==
        Code::model_not_flex_capable);
}

TEST_CASE("edits: one splice where it can be") {
  const char* body = R"({"model":"gpt-5.5","start_within":"00h-00m-30s","input":"hi"})";
  const Checked checked = check(body);
  REQUIRE(!checked.error);
  const SpliceList flex = race_edits(*checked.facts, Tier::flex);
  CHECK(flex.size() == 1);
  CHECK(edited(body, flex) ==
        R"({"model":"gpt-5.5","service_tier":"flex","stream":true,"input":"hi"})");
  CHECK(edited(body, race_edits(*checked.facts, Tier::standard)) ==
        R"({"model":"gpt-5.5","service_tier":"default","stream":true,"input":"hi"})");
}

TEST_CASE("edits: a stream that was asked for is left alone") {
  const char* body = R"({"stream":true,"start_within":"00h-00m-30s","model":"o3"})";
  const Checked checked = check(body);
  REQUIRE(!checked.error);
  CHECK(race_edits(*checked.facts, Tier::flex).size() == 1);
}

TEST_CASE("edits: the edges") {
  struct Case {
    const char* id;
    const char* body;
    const char* fallback;
    const char* sent;
  };
  const Case cases[] = {
      {"service-tier-null", R"({"service_tier":null,"model":"o3","start_within":"00h-00m-30s"})",
       "", R"({"service_tier":"flex","stream":true,"model":"o3"})"},
      {"service-tier-null-behind",
       R"({"start_within":"00h-00m-30s", "service_tier" : null , "model":"o3"})", "",
       R"({ "service_tier":"flex","stream":true , "model":"o3"})"},
      {"key-default", R"({"model":"o3"})", "00h-00m-30s",
       R"({"service_tier":"flex","stream":true,"model":"o3"})"},
      {"key-default-and-null-tier", R"({"model":"o3","service_tier":null,"stream":true})",
       "00h-00m-30s", R"({"model":"o3","service_tier":"flex","stream":true})"},
      {"stream-false", R"({"model":"o3","stream":false,"start_within":"00h-00m-30s"})", "",
       R"({"model":"o3","stream":true,"service_tier":"flex"})"},
      {"stream-null", R"({"stream" : null,"start_within":"00h-00m-30s","model":"o3"})", "",
       R"({"stream" : true,"service_tier":"flex","model":"o3"})"},
      {"stream-true", R"({"stream":true,"start_within":"00h-00m-30s","model":"o3"})", "",
       R"({"stream":true,"service_tier":"flex","model":"o3"})"},
      {"stream-odd", R"({"stream":"yes","start_within":"00h-00m-30s","model":"o3"})", "",
       R"({"stream":true,"service_tier":"flex","model":"o3"})"},
      {"first", R"({"start_within":"00h-00m-30s","model":"o3"})", "",
       R"({"service_tier":"flex","stream":true,"model":"o3"})"},
      {"last", "{\"model\":\"o3\" ,\n\"start_within\" : \"00h-00m-30s\"\n}\n", "",
       "{\"model\":\"o3\" ,\n\"service_tier\":\"flex\",\"stream\":true\n}\n"},
      {"nested-twins",
       R"({"input":[{"start_within":"x","stream":false,"service_tier":1}],"model":"o3",)"
       R"("start_within":"00h-00m-30s"})",
       "",
       R"({"input":[{"start_within":"x","stream":false,"service_tier":1}],"model":"o3",)"
       R"("service_tier":"flex","stream":true})"},
      {"escaped-names",
       R"({"st\u0061rt_within":"00h-00m-30s","model":"o3","str\u0065am":false,"c\u0061che":null})",
       "", R"({"service_tier":"flex","model":"o3","str\u0065am":true})"},
      {"reserved-go",
       R"({"provider":null,"retry":false,"include_cost":null,"cache":null,)"
       R"("pii_mask":false,"moderate":null,"trace_storage":false,)"
       R"("start_within":"00h-00m-30s","model":"o3","service_tier":null,"stream":null})",
       "", R"({"model":"o3","service_tier":"flex","stream":true})"},
      {"reserved-scattered",
       R"({"cache":null,"model":"o3","retry":null,"start_within":"00h-00m-30s","moderate":false})",
       "", R"({"model":"o3","service_tier":"flex","stream":true})"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    const Checked checked = check(test.body, test.fallback);
    REQUIRE(!checked.error);
    CHECK(edited(test.body, race_edits(*checked.facts, Tier::flex)) == test.sent);
  }
}

TEST_CASE("edits: a direct request keeps its stream") {
  struct Case {
    const char* body;
    const char* sent;
  };
  const Case cases[] = {
      {R"({"model":"o3","start_within":"default"})", R"({"model":"o3","service_tier":"default"})"},
      {R"({"model":"o3","start_within":"priority","stream":false})",
       R"({"model":"o3","service_tier":"priority","stream":false})"},
      {R"({"model":"o3","start_within":"auto","stream":true,"cache":false})",
       R"({"model":"o3","service_tier":"auto","stream":true})"},
      {R"({"model":"claude-x","start_within":"default","max_output_tokens":5,"stream":null})",
       R"({"model":"claude-x","service_tier":"standard_only","max_output_tokens":5,)"
       R"("stream":null})"},
      {R"({"model":"gemini-x","start_within":"default"})",
       R"({"model":"gemini-x","service_tier":"standard"})"},
  };
  for (const Case& test : cases) {
    const Checked checked = check(test.body);
    REQUIRE(!checked.error);
    CHECK(edited(test.body, direct_edits(*checked.facts)) == test.sent);
  }
}

// Random objects: the edited body is JSON, and every member that is not flexd's stands as it was.
TEST_CASE("edits: only the named members change") {
  constexpr uint64_t kSeed = 20'250'102;
  std::mt19937_64 random(kSeed);
  const std::vector<std::vector<std::string>> pool = {
      {R"("start_within":"00h-01m-00s")", R"("start_within" : "00h-00m-05s")", ""},
      {R"("service_tier":null)", ""},
      {R"("stream":true)", R"("stream":false)", R"("stream": null)", ""},
      {R"("cache":null)", R"("cache" :false)", ""},
      {R"("retry":null)", ""},
      {R"("trace_storage": false)", ""},
      {R"("input":"a \"stream\":false, } ] \u0041")", ""},
      {R"("metadata":{"start_within":1,"x":[{},[]]})", ""},
      {R"("temperature":1.0)", ""},
      {R"("conversation":{"id":"c"})", ""}};
  const std::vector<std::string> spaces = {"", " ", "\n  ", "\t"};
  for (int round = 0; round < 20'000; ++round) {
    CAPTURE(round);
    std::vector<std::string> members = {R"("model":"gpt-5.5")"};
    for (const auto& forms : pool) {
      const std::string& form = forms[random() % forms.size()];
      if (!form.empty()) members.push_back(form);
    }
    std::shuffle(members.begin(), members.end(), random);
    const auto space = [&]() -> const std::string& { return spaces[random() % spaces.size()]; };
    std::string body = space() + "{";
    for (size_t i = 0; i < members.size(); ++i) {
      body += (i == 0 ? "" : ",") + space() + members[i] + space();
    }
    body += "}" + space();
    CAPTURE(body);
    const Checked checked = check(body, "00h-02m-00s");
    REQUIRE(!checked.error);
    const std::string sent = edited(body, race_edits(*checked.facts, Tier::standard));
    CAPTURE(sent);
    REQUIRE(json::validate(sent));
    const json::Value object = json::Value::value_in(sent);
    CHECK(object["service_tier"].equals("default"));
    CHECK(object["stream"].to_bool() == true);
    size_t count = 0;
    for (const json::Member& member : json::Members(object)) {
      ++count;
      const std::string_view name = member.name.contents();
      CHECK(name != "start_within");
      CHECK(name != "cache");
      if (name == "service_tier" || name == "stream") continue;
      const std::string_view whole(
          member.name.text.data(),
          static_cast<size_t>(member.value.text.data() + member.value.text.size() -
                              member.name.text.data()));
      CHECK(std::find(members.begin(), members.end(), whole) != members.end());
    }
    size_t kept = 2;  // service_tier and stream
    for (const std::string& member : members) {
      const bool ours = member.starts_with("\"start") || member.starts_with("\"ser") ||
                        member.starts_with("\"stream") || member.starts_with("\"cache") ||
                        member.starts_with("\"retry") || member.starts_with("\"trace");
      kept += ours ? 0 : 1;
    }
    CHECK(count == kept);
  }
}

}  // namespace
}  // namespace flexd::surface
