// The rules about parameters, dialect by dialect; and the splices of the three providers.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/edits.hpp"
#include "flexd/surface/request.hpp"

namespace flexd::surface {
namespace {

using errors::Code;
using errors::Dialect;
using errors::Provider;
using errors::Variant;

struct Checked {
  std::unique_ptr<RequestFacts> facts = std::make_unique<RequestFacts>();
  std::optional<errors::Error> error;
};

Checked check(Dialect dialect, std::string_view body, bool native = false) {
  static const FlexModels models = FlexModels::built_in();
  Checked checked;
  auto read = read_request(dialect, body, *checked.facts);
  if (read) {
    read = check_request(*checked.facts, {.flex_models = models, .native_parameters = native});
  }
  if (!read) checked.error = read.error();
  return checked;
}

// body_of is a good request to a model of the dialect's own provider (OpenAI for Chat), with more
// members.
std::string body_of(Dialect dialect, const std::string& more, std::string_view model = {}) {
  constexpr std::string_view kModels[] = {"gpt-5.5", "gpt-5.5", "gemini-2.5-pro", "claude-x"};
  if (model.empty()) model = kModels[static_cast<size_t>(dialect)];
  std::string body = "{\"model\":\"" + std::string(model) + R"(","start_within":"default")";
  if (dialect == Dialect::messages) body += ",\"max_tokens\":9";
  return body + (more.empty() ? "" : ",") + more + "}";
}

constexpr Dialect kAll[] = {Dialect::responses, Dialect::chat, Dialect::interactions,
                            Dialect::messages};

TEST_CASE("checks: what every dialect refuses") {
  struct Case {
    const char* member;
    Variant variant;
    const char* param;
  };
  const Case refused[] = {
      {R"("background":true)", Variant::background, "background"},
      {R"("background":0)", Variant::background, "background"},
      {R"("provider":{})", Variant::reserved_field, "provider"},
      {R"("retry":1)", Variant::reserved_field, "retry"},
      {R"("include_cost":true)", Variant::reserved_field, "include_cost"},
      {R"("cache":"x")", Variant::reserved_field, "cache"},
      {R"("pii_mask":true)", Variant::reserved_field, "pii_mask"},
      {R"("moderate":[])", Variant::reserved_field, "moderate"},
      {R"("trace_\u0073torage":true)", Variant::reserved_field, "trace_storage"},
  };
  for (const Dialect dialect : kAll) {
    CAPTURE(static_cast<int>(dialect));
    CHECK(!check(dialect, body_of(dialect, "")).error);
    CHECK(!check(dialect, body_of(dialect, R"("background":false,"cache":null,"retry":false)"))
               .error);
    for (const Case& test : refused) {
      const std::string body = body_of(dialect, test.member);
      CAPTURE(body);
      const Checked checked = check(dialect, body, true);
      REQUIRE(checked.error);
      CHECK(checked.error->code == Code::unsupported_parameter);
      CHECK(checked.error->variant == test.variant);
      CHECK(checked.error->param == test.param);
    }
    const std::string tier = body_of(dialect, R"("service_tier":"flex")");
    CHECK(check(dialect, tier).error->code == Code::service_tier_not_allowed);
  }
}

TEST_CASE("checks: a field that flexd acts on stands once") {
  for (const Dialect dialect : kAll) {
    const json::Names& names = request_fields(dialect);
    for (size_t field = 0; field < names.size(); ++field) {
      const std::string member = "\"" + std::string(names[field]) + "\":null";
      const std::string body = "{" + member + ",\"x\":1,\"x\":2," + member + "}";
      CAPTURE(body);
      const Checked checked = check(dialect, body);
      REQUIRE(checked.error);
      CHECK(checked.error->variant == Variant::duplicate_field);
      CHECK(checked.error->param == names[field]);
    }
  }
  CHECK(check(Dialect::chat, R"({"messages":[],"m\u0065ssages":[]})").error->param == "messages");
}

TEST_CASE("checks: conversation is a matter of Responses") {
  for (const Dialect dialect : kAll) {
    const std::string body = body_of(dialect, R"("conversation":"c","stream":true)");
    const Checked checked = check(dialect, body);
    REQUIRE(!checked.error);
    CHECK(checked.facts->conversation == (dialect == Dialect::responses));
    CHECK(checked.facts->stream);
    CHECK(checked.facts->dialect == dialect);
    CHECK(checked.facts->is_own_dialect() == (dialect != Dialect::chat));
  }
  const Checked other = check(Dialect::messages, body_of(Dialect::messages, "", "gpt-5.5"));
  CHECK(!other.error);
  CHECK(!other.facts->is_own_dialect());
}

TEST_CASE("checks: neutral values are not set") {
  struct Case {
    Dialect dialect;
    const char* members;
  };
  const Case cases[] = {
      {Dialect::chat, R"("n":1)"},
      {Dialect::chat, R"("n":1.0)"},
      {Dialect::chat, R"("n":null)"},
      {Dialect::chat, R"("presence_penalty":0,"frequency_penalty":0.0,"top_logprobs":-0)"},
      {Dialect::chat, R"("presence_penalty":-0.0e0,"frequency_penalty":0e0,"top_logprobs":null)"},
      {Dialect::chat, R"("logit_bias":{ },"logprobs":false,"stop":[ ],"modalities":[ "text" ])"},
      {Dialect::chat, R"("logit_bias":null,"logprobs":null,"seed":null,"stop":null,"audio":null,)"
                      R"("prediction":null,"modalities":null,"web_search_options":null)"},
      {Dialect::chat, R"("modalities":["t\u0065xt"])"},
      {Dialect::chat, R"("metadata":{"stop":"x","seed":1,"n":2})"},
      {Dialect::interactions, R"("generation_config":null)"},
      {Dialect::interactions, R"("generation_config":{"seed":null,"stop_sequences":[]})"},
      {Dialect::interactions, R"("generation_config":{"temperature":1,"x":{"seed":1}})"},
      {Dialect::interactions, R"("generation_config":[{"seed":1}],"seed":1)"},
      {Dialect::messages, R"("top_k":null,"stop_sequences":[],"cache_control":null)"},
      {Dialect::messages, R"("stop_sequences":null,"system":null,"tools":[],"messages":[])"},
      {Dialect::responses, R"("top_logprobs":5,"stop":"x","seed":1,"top_k":1,"n":2)"},
  };
  for (const Case& test : cases) {
    const std::string body = body_of(test.dialect, test.members);
    CAPTURE(body);
    CHECK(!check(test.dialect, body).error);
  }
}

TEST_CASE("checks: what Chat refuses") {
  struct Case {
    const char* member;
    const char* param;
  };
  const Case cases[] = {
      {R"("presence_penalty":0.1)", "presence_penalty"},
      {R"("presence_penalty":1e-400)", "presence_penalty"},
      {R"("presence_penalty":"0")", "presence_penalty"},
      {R"("frequency_penalty":-2)", "frequency_penalty"},
      {R"("frequency_penalty":false)", "frequency_penalty"},
      {R"("logit_bias":{"50256":-100})", "logit_bias"},
      {R"("logit_bias":[])", "logit_bias"},
      {R"("logprobs":true)", "logprobs"},
      {R"("logprobs":0)", "logprobs"},
      {R"("top_logprobs":1)", "top_logprobs"},
      {R"("seed":0)", "seed"},
      {R"("stop":"x")", "stop"},
      {R"("stop":"")", "stop"},
      {R"("stop":["x"])", "stop"},
      {R"("st\u006fp":["x"])", "stop"},
      {R"("prediction":{"type":"content","content":""})", "prediction"},
      {R"("audio":{})", "audio"},
      {R"("modalities":["text","audio"])", "modalities"},
      {R"("modalities":["audio"])", "modalities"},
      {R"("modalities":["text","text"])", "modalities"},
      {R"("modalities":[])", "modalities"},
      {R"("modalities":"text")", "modalities"},
      {R"("web_search_options":{})", "web_search_options"},
  };
  for (const Case& test : cases) {
    for (const char* const model : {"gpt-5.5", "gemini-x"}) {
      const std::string body = body_of(Dialect::chat, test.member, model);
      CAPTURE(body);
      // Chat has no provider of its own that could take them.
      const Checked checked = check(Dialect::chat, body, true);
      REQUIRE(checked.error);
      CHECK(checked.error->code == Code::unsupported_parameter);
      CHECK(checked.error->variant == Variant::none);
      CHECK(checked.error->param == test.param);
    }
  }
  for (const char* const n : {"0", "2", "1.5", "-1", "1e400", "true", "\"1\"", "[1]"}) {
    const std::string body = body_of(Dialect::chat, std::string("\"stop\":\"x\",\"n\":") + n);
    CAPTURE(body);
    CHECK(check(Dialect::chat, body).error->code == Code::unsupported_value);
  }
}

TEST_CASE("checks: what Interactions refuse") {
  struct Case {
    const char* config;
    const char* param;
  };
  const Case cases[] = {
      {R"({"seed":0})", "generation_config.seed"},
      {R"({"seed":null,"s\u0065ed":5})", "generation_config.seed"},
      {R"({"temperature":1,"stop_sequences":["x"]})", "generation_config.stop_sequences"},
      {R"({"stop_sequences":"x","seed":1})", "generation_config.stop_sequences"},
  };
  for (const Case& test : cases) {
    const std::string member = std::string("\"generation_config\":") + test.config;
    for (const char* const model : {"gemini-2.5-pro", "gpt-5.5"}) {
      const std::string body = body_of(Dialect::interactions, member, model);
      CAPTURE(body);
      const Checked checked = check(Dialect::interactions, body);
      REQUIRE(checked.error);
      CHECK(checked.error->code == Code::unsupported_generation_config);
      CHECK(checked.error->param == test.param);
      const bool own = model[1] == 'e';
      CHECK(check(Dialect::interactions, body, true).error.has_value() == !own);
    }
  }
}

// Where a Messages request can have what it may not; `at` is the path.
struct MessagesCase {
  const char* members;
  const char* at;
};
constexpr MessagesCase kCacheControls[] = {
    {R"("cache_control":{"type":"ephemeral"})", "cache_control"},
    {R"("c\u0061che_control":{})", "cache_control"},
    {R"("system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{}}])",
     "system[1].cache_control"},
    {R"("system":[{"type":"text","text":"b","\u0063ache_\u0063ontrol":{}}])",
     R"(system[0].\u0063ache_\u0063ontrol)"},
    {R"("messages":[{"role":"user","content":[{"type":"text","text":"t","cache_control":{}}]}])",
     "messages[0].content[0].cache_control"},
    {R"("messages":[{"content":"a"},{"content":[{"type":"tool_result","tool_use_id":"x",)"
     R"("content":[{"type":"text","text":""},{"cache_control":{"ttl":"1h"}}]}]}])",
     "messages[1].content[0].content[1].cache_control"},
    {R"("messages":[{"content":[{"type":"document","source":{"type":"content","content":)"
     R"([{"type":"text","text":"","cache_control":{}}]}}]}])",
     "messages[0].content[0].source.content[0].cache_control"},
    {R"("tools":[{"name":"a"},{"name":"b","input_schema":{},"cache_control":{}}])",
     "tools[1].cache_control"},
};
constexpr MessagesCase kOthers[] = {
    {R"("top_k":5)", "top_k"},
    {R"("top_k":0)", "top_k"},
    {R"("stop_sequences":["x"])", "stop_sequences"},
    {R"("stop_sequences":"x")", "stop_sequences"},
    {R"("messages":[{"content":[{"type":"document","source":{},"citations":{"enabled":true}}]}])",
     "messages[0].content[0].citations"},
    {R"("messages":[{"content":[{"citations":{"enabled":true},"type":"f\u0069le"}]}])",
     "messages[0].content[0].citations"},
    {R"("messages":[{"content":[{"cit\u0061tions":{"enabled":true},"type":"file"}]}])",
     R"(messages[0].content[0].cit\u0061tions)"},
    {R"("messages":[{"content":[{"type":"tool_result","content":[{"type":"document",)"
     R"("citations":{"enabled":true}}]}]}])",
     "messages[0].content[0].content[0].citations"},
};

TEST_CASE("checks: what Messages refuse") {
  const auto refuse = [](const MessagesCase& test, bool hint) {
    for (const char* const model : {"claude-x", "gpt-5.5"}) {
      const std::string body = body_of(Dialect::messages, test.members, model);
      CAPTURE(body);
      const Checked checked = check(Dialect::messages, body);
      REQUIRE(checked.error);
      CHECK(checked.error->code == Code::unsupported_parameter);
      CHECK(checked.error->variant == Variant::native_parameter);
      CHECK(checked.error->param == test.at);
      // Its own provider takes all of them, another one a hint, which the translation drops.
      const Checked native = check(Dialect::messages, body, true);
      const bool own = native.facts->provider == Provider::anthropic;
      CHECK(native.error.has_value() == !(own || hint));
    }
  };
  for (const MessagesCase& test : kCacheControls) refuse(test, true);
  for (const MessagesCase& test : kOthers) refuse(test, false);
}

TEST_CASE("checks: the words of a parameter elsewhere mean nothing") {
  const char* const cases[] = {
      R"("messages":[{"role":"user","content":"use \"cache_control\":{} and citations"}])",
      R"("messages":[{"content":[{"type":"text","text":"\"cache_control\":{\"type\":1}"}]}])",
      R"("messages":[{"content":[{"type":"text","text":"x","cache_control":null}]}])",
      R"("messages":[{"content":[{"type":"tool_use","id":"a","input":{"cache_control":{},)"
      R"("citations":{"enabled":true},"content":[{"cache_control":1}]}}]}])",
      R"("messages":[{"role":"user","content":"x","cache_control":{}}])",
      R"("tools":[{"name":"a","input_schema":{"properties":{"cache_control":{"type":"string"}}}}])",
      R"("metadata":{"cache_control":{}},"x":{"top_k":1})",
      R"("messages":[{"content":[{"type":"document","citations":{"enabled":false}}]}])",
      R"("messages":[{"content":[{"type":"document","citations":null}]}])",
      R"("messages":[{"content":[{"type":"text","text":"","citations":[{"enabled":true}]}]}])",
      R"("messages":[{"content":[{"type":"search_result","citations":{"enabled":true}}]}])",
      R"("messages":"cache_control","system":"cache_control","tools":{"cache_control":1})",
      R"("messages":[[{"cache_control":1}],7,null,{"content":{"content":"cache_control"}}])",
  };
  for (const char* const members : cases) {
    const std::string body = body_of(Dialect::messages, members);
    CAPTURE(body);
    CHECK(!check(Dialect::messages, body).error);
  }
  // In another dialect they are unknown fields, which the checks leave alone.
  for (const MessagesCase& test : kCacheControls) {
    CHECK(!check(Dialect::chat, body_of(Dialect::chat, test.members)).error);
  }
}

TEST_CASE("checks: blocks inside blocks, as deep as a body may be") {
  // The object, the list of messages, a message; then list and block by turns.
  constexpr size_t kBlocks = (json::kDepthMax - 3 - 1) / 2;
  std::string text = R"({"cache_control":1})";
  std::string path = "cache_control";
  for (size_t i = 1; i < kBlocks; ++i) {
    text = R"({"content":[)" + text + "]}";
    path = "content[0]." + path;
  }
  const std::string body = body_of(Dialect::messages, R"("messages":[{"content":[)" + text + "]}]");
  const Checked checked = check(Dialect::messages, body);
  REQUIRE(checked.error);
  CHECK(checked.error->variant == Variant::native_parameter);
  path = "messages[0].content[0]." + path;
  CHECK(checked.error->param == path.substr(0, errors::kParamBytesMax));
}

TEST_CASE("checks: claude models need a bound") {
  struct Case {
    Dialect dialect;
    const char* unset;
    const char* set;
    const char* param;
  };
  const Case cases[] = {
      {Dialect::responses, R"("max_output_tokens":null,"max_tokens":5)", R"("max_output_tokens":5)",
       "max_output_tokens"},
      {Dialect::chat, R"("max_completion_tokens":null)", R"("max_completion_tokens":5)",
       "max_completion_tokens"},
      {Dialect::chat, R"("max_tokens":null)", R"("max_completion_tokens":null,"max_tokens":5)",
       "max_completion_tokens"},
      {Dialect::interactions, R"("generation_config":{"max_output_tokens":null})",
       R"("generation_config":{"max_output_tokens":5})", "generation_config.max_output_tokens"},
      {Dialect::interactions, R"("generation_config":null,"max_output_tokens":5)",
       R"("generation_config":{"max_outp\u0075t_tokens":5})",
       "generation_config.max_output_tokens"},
      {Dialect::messages, R"("max_tokens":null)", R"("max_tokens":0)", "max_tokens"},
  };
  const auto bare = [](const char* model, const char* members) {
    return std::string(R"({"model":")") + model + R"(","start_within":"default",)" + members + "}";
  };
  for (const Case& test : cases) {
    CAPTURE(test.unset);
    const std::string unset = bare("claude-x", test.unset);
    const Checked checked = check(test.dialect, unset);
    REQUIRE(checked.error);
    CHECK(checked.error->code == Code::missing_max_tokens);
    CHECK(checked.error->param == test.param);
    const std::string set = bare("claude-x", test.set);
    CHECK(!check(test.dialect, set).error);
    const std::string other = bare("gpt-5.5", test.unset);
    CHECK(!check(test.dialect, other).error);
  }
}

TEST_CASE("checks: the order among parameters") {
  const char* const chat =
      R"({"model":"claude-x","start_within":"default","n":2,"cache":1,"background":1,"stop":"x"})";
  CHECK(check(Dialect::chat, chat).error->code == Code::unsupported_value);
  const char* const common =
      R"({"model":"claude-x","start_within":"default","cache":1,"background":1,"stop":"x"})";
  CHECK(check(Dialect::chat, common).error->param == "background");
  const char* const config =
      R"({"model":"claude-x","start_within":"default","generation_config":{"seed":1}})";
  CHECK(check(Dialect::interactions, config).error->code == Code::unsupported_generation_config);
}

std::string edited(std::string_view body, const SpliceList& splices) {
  SplicedReader reader(body, splices);
  std::string out;
  for (std::string_view piece = reader.next(9); !piece.empty(); piece = reader.next(9)) {
    out += piece;
  }
  return out;
}

TEST_CASE("edits: own dialects of Gemini and Anthropic") {
  struct Case {
    Dialect dialect;
    const char* body;
    const char* sent;
  };
  const Case direct[] = {
      {Dialect::interactions,
       R"({"model":"gemini-2.5-pro","start_within":"priority","input":"hi","store":false})",
       R"({"model":"gemini-2.5-pro","service_tier":"priority","input":"hi","store":false})"},
      {Dialect::interactions, R"({"start_within":"default","model":"gemini-x","stream":true})",
       R"({"service_tier":"standard","model":"gemini-x","stream":true})"},
      {Dialect::messages,
       R"({"model":"claude-x","max_tokens":5,"messages":[],"start_within":"default"})",
       R"({"model":"claude-x","max_tokens":5,"messages":[],"service_tier":"standard_only"})"},
      {Dialect::messages,
       R"({"cache":null,"model":"claude-x","max_tokens":5,"start_within":"auto"})",
       R"({"model":"claude-x","max_tokens":5,"service_tier":"auto"})"},
      {Dialect::messages, R"({"model":"claude-x","max_tokens":5,"start_within":"priority"})",
       R"({"model":"claude-x","max_tokens":5,"service_tier":"auto"})"},
  };
  for (const Case& test : direct) {
    const Checked checked = check(test.dialect, test.body);
    REQUIRE(!checked.error);
    CHECK(edited(test.body, direct_edits(*checked.facts)) == test.sent);
  }
  const char* const raced =
      R"({"model":"gemini-2.5-pro", "start_within":"00h-00m-30s", "stream":false, "input":[]})";
  const Checked checked = check(Dialect::interactions, raced);
  REQUIRE(!checked.error);
  CHECK(edited(raced, race_edits(*checked.facts, Tier::flex)) ==
        R"({"model":"gemini-2.5-pro", "service_tier":"flex", "stream":true, "input":[]})");
  CHECK(edited(raced, race_edits(*checked.facts, Tier::standard)) ==
        R"({"model":"gemini-2.5-pro", "service_tier":"standard", "stream":true, "input":[]})");
}

TEST_CASE("edits: a translated body gets both members at its front") {
  const std::string body = R"({"model":"m"})";
  const auto sent = [&](Provider provider, Tier tier, bool stream) {
    const SpliceList splices = translated_edits(provider, tier, stream);
    CHECK(splices.size() == 1);
    return edited(body, splices);
  };
  CHECK(sent(Provider::openai, Tier::flex, true) ==
        R"({"service_tier":"flex","stream":true,"model":"m"})");
  for (size_t p = 0; p < errors::kProviderCount; ++p) {
    const auto provider = static_cast<Provider>(p);
    for (const Tier tier : {Tier::flex, Tier::standard, Tier::priority, Tier::automatic}) {
      const std::string_view word = tier_word(provider, tier);
      if (word.empty()) continue;
      const std::string member = R"({"service_tier":")" + std::string(word) + "\",";
      CHECK(sent(provider, tier, false) == member + R"("model":"m"})");
      CHECK(sent(provider, tier, true) == member + R"("stream":true,"model":"m"})");
    }
  }
}

}  // namespace
}  // namespace flexd::surface
