// What an answer brings of opaque texts comes back to the provider that made them, through whatever
// dialect the caller speaks.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/surface/answer_translation.hpp"
#include "flexd/surface/request.hpp"
#include "flexd/surface/translate.hpp"

namespace flexd::surface {
namespace {

using errors::Dialect;
using errors::Provider;
using json::Value;

// Turn is an answer with thoughts and a call, and what of it the provider wants back.
struct Turn {
  Provider provider;
  std::string_view model;
  std::string_view answer;
  std::vector<std::string_view> wanted;
};

const Turn kTurns[] = {
    {Provider::openai,
     "gpt-5.4",
     R"({"id":"resp_1","status":"completed","model":"gpt-5.4","output":[{"id":"rs_1","type":)"
     R"("reasoning","summary":[{"type":"summary_text","text":"One \"\u00e9\""},{"type":)"
     R"("summary_text","text":"Two"}],"encrypted_content":"ENC+/=\n"},{"id":"rs_2","type":)"
     R"("reasoning","summary":[],"encrypted_content":"MORE"},{"id":"fc_1","type":)"
     R"("function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}]})",
     {R"("encrypted_content":"ENC+/=\n")", R"("id":"rs_1")",
      R"({"type":"summary_text","text":"One \"\u00e9\"\n\nTwo"})", R"("encrypted_content":"MORE")",
      R"("id":"rs_2")",
      R"({"type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"})"}},
    {Provider::gemini,
     "gemini-3.8-flash",
     R"({"id":"v1_1","status":"requires_action","model":"gemini-3.8-flash","steps":[{"type":)"
     R"("thought","signature":"SIG+/=","summary":[{"type":"text","text":"One \"\u00e9\""}]},)"
     R"({"type":"thought","signature":"MORE"},{"type":"function_call","id":"c1","name":"f",)"
     R"("arguments":{"a":1}}]})",
     {R"({"type":"thought","signature":"SIG+/=",)"
      R"("summary":[{"type":"text","text":"One \"\u00e9\""}]})",
      R"({"type":"thought","signature":"MORE"})",
      R"({"type":"function_call","id":"c1","name":"f","arguments":{"a":1}})"}},
    {Provider::anthropic,
     "claude-sonnet-4-5",
     R"({"id":"msg_1","type":"message","model":"claude-sonnet-4-5","content":[{"type":)"
     R"("thinking","thinking":"One \"\u00e9\"","signature":"SIG+/="},{"type":)"
     R"("redacted_thinking","data":"RED"},{"type":"thinking","thinking":"","signature":"MORE"},)"
     R"({"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],"stop_reason":"tool_use"})",
     {R"({"type":"thinking","thinking":"One \"\u00e9\"","signature":"SIG+/="},)"
      R"({"type":"redacted_thinking","data":"RED"},)"
      R"({"type":"thinking","thinking":"","signature":"MORE"},)"
      R"({"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}})"}},
};

std::string answered(Dialect dialect, const Turn& turn, bool stream) {
  BlockPool pool(16U << 20U);
  Buffer out(pool);
  AnswerTranslation translation(pool);
  REQUIRE(translation.begin({.dialect = dialect,
                             .provider = turn.provider,
                             .tier = "standard",
                             .unique = "AbCdEfGhIjKlMnOpQrStUvWx",
                             .stream = stream,
                             .request = "{}"}));
  REQUIRE(translation.translate_object(turn.answer, out));
  return std::string(out.view());
}

// inside is what stands between the brackets of an array.
std::string inside(Value array) {
  REQUIRE(array.is(json::Type::kArray));
  return std::string(array.text.substr(1, array.text.size() - 2));
}

// next_request is the request that a caller sends who answers the call of `answer`.
std::string next_request(Dialect dialect, const Turn& turn, const std::string& answer) {
  const Value object{answer};
  const std::string model = R"({"model":")" + std::string(turn.model) + "\",";
  switch (dialect) {
    case Dialect::responses: {
      std::string id;
      for (const Value item : json::Elements(object["output"])) id = item["call_id"].contents();
      return model + R"("max_output_tokens":4000,"input":[{"role":"user","content":"Q"},)" +
             inside(object["output"]) + R"(,{"type":"function_call_output","call_id":")" + id +
             R"(","output":"x"}]})";
    }
    case Dialect::chat: {
      json::Elements choices(object["choices"]);
      REQUIRE(choices.next());
      const Value message = choices.element()["message"];
      json::Elements calls(message["tool_calls"]);
      REQUIRE(calls.next());
      return model + R"("max_tokens":4000,"messages":[{"role":"user","content":"Q"},)" +
             std::string(message.text) + R"(,{"role":"tool","tool_call_id":")" +
             std::string(calls.element()["id"].contents()) + R"(","content":"x"}]})";
    }
    case Dialect::interactions: {
      std::string id;
      for (const Value step : json::Elements(object["steps"])) id = step["id"].contents();
      return model +
             R"("generation_config":{"max_output_tokens":4000},"input":[{"type":"user_input",)"
             R"("content":[{"type":"text","text":"Q"}]},)" +
             inside(object["steps"]) + R"(,{"type":"function_result","call_id":")" + id +
             R"(","name":"f","result":"x"}]})";
    }
    case Dialect::messages: {
      std::string id;
      for (const Value block : json::Elements(object["content"])) id = block["id"].contents();
      return model + R"("max_tokens":4000,"messages":[{"role":"user","content":"Q"},)" +
             R"({"role":"assistant","content":)" + std::string(object["content"].text) +
             R"(},{"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id +
             R"(","content":"x"}]}]})";
    }
  }
  return {};
}

std::string sent(Dialect dialect, const std::string& body) {
  CAPTURE(body);
  const auto facts = std::make_unique<RequestFacts>();
  REQUIRE(read_request(dialect, body, *facts).has_value());
  const FlexModels flex = FlexModels::built_in();
  REQUIRE(
      check_request(*facts, {.flex_models = flex, .default_start_within = "default"}).has_value());
  BlockPool pool(16U << 20U);
  Buffer out(pool);
  REQUIRE(translate_request(*facts, false, pool, out).has_value());
  return std::string(out.view());
}

std::vector<std::string> blobs_in(std::string_view text) {
  std::vector<std::string> blobs;
  for (size_t at = 0; (at = text.find("\"gw1.", at)) != std::string_view::npos;) {
    const size_t end = text.find('"', at + 1);
    REQUIRE(end != std::string_view::npos);
    blobs.emplace_back(text.substr(at + 1, end - at - 1));
    at = end;
  }
  return blobs;
}

TEST_CASE("opaque texts come back to their provider") {
  for (const Turn& turn : kTurns) {
    for (const Dialect dialect :
         {Dialect::responses, Dialect::chat, Dialect::interactions, Dialect::messages}) {
      if (errors::is_own_dialect(dialect, turn.provider)) continue;
      CAPTURE(turn.model);
      CAPTURE(static_cast<int>(dialect));
      const std::string answer = answered(dialect, turn, false);
      const std::string body = sent(dialect, next_request(dialect, turn, answer));
      CHECK(body.find("gw1.") == std::string::npos);
      for (const std::string_view wanted : turn.wanted) {
        CHECK_MESSAGE(body.find(wanted) != std::string::npos, wanted << " not in " << body);
      }
    }
  }
}

TEST_CASE("opaque texts go to no other provider") {
  for (const Turn& turn : kTurns) {
    for (const Turn& other : kTurns) {
      for (const Dialect dialect :
           {Dialect::responses, Dialect::chat, Dialect::interactions, Dialect::messages}) {
        if (turn.provider == other.provider || errors::is_own_dialect(dialect, turn.provider) ||
            errors::is_own_dialect(dialect, other.provider)) {
          continue;
        }
        const std::string answer = answered(dialect, turn, false);
        const std::string body = sent(dialect, next_request(dialect, other, answer));
        CHECK(body.find("gw1.") == std::string::npos);
        for (const std::string_view secret : {"SIG+/=", "ENC+/=", "RED", "MORE"}) {
          CHECK_MESSAGE(body.find(secret) == std::string::npos, body);
        }
      }
    }
  }
}

TEST_CASE("a stream brings the same opaque texts as an object") {
  for (const Turn& turn : kTurns) {
    for (const Dialect dialect : {Dialect::chat, Dialect::interactions, Dialect::messages}) {
      if (errors::is_own_dialect(dialect, turn.provider)) continue;
      CHECK(blobs_in(answered(dialect, turn, true)) == blobs_in(answered(dialect, turn, false)));
    }
    if (turn.provider == Provider::openai) continue;
    // Responses tells each item once as it ends, and all of them at the end.
    const std::string stream = answered(Dialect::responses, turn, true);
    const size_t end = stream.find("event: response.completed");
    REQUIRE(end != std::string::npos);
    const std::vector<std::string> expected = blobs_in(answered(Dialect::responses, turn, false));
    CHECK(blobs_in(stream.substr(0, end)) == expected);
    CHECK(blobs_in(stream.substr(end)) == expected);
  }
}

}  // namespace
}  // namespace flexd::surface
