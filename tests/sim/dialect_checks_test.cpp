// The order of checks in each dialect, and that nothing is sent upstream before all have passed.
#include <doctest/doctest.h>

#include "dialects.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

constexpr std::string_view kChat = R"("messages":[{"role":"user","content":"hi"}])";

// ask_keyless sends a request to an organization without a key for any provider but OpenAI.
const Reply& ask_keyless(Sim& sim, Dialect dialect, const std::string& text) {
  const Reply& reply = sim.ask_at(path_of(dialect), text);
  CHECK(sim.provider.seen().empty());
  return reply;
}

void check_error(const Reply& reply, std::string_view code, std::string_view param) {
  CAPTURE(reply.body);
  CHECK(reply.status == 400);
  CHECK(reply.code() == code);
  const json::Value error = json::Value{reply.body}["error"];
  if (param.empty()) {
    CHECK(error["param"].text == "null");
  } else {
    CHECK(error["param"].equals(param));
  }
  // Every dialect's SDK finds its own words beside these.
  for (const char* const name : {"message", "type", "code", "param", "doc_url"}) {
    CHECK(error[name].exists());
  }
}

}  // namespace

TEST_CASE("checks: in chat, to Gemini") {
  const std::vector<std::array<std::string, 3>> ladder = {
      {R"({"start_within":"soon","service_tier":"flex","seed":1,)" + std::string(kChat) + "}",
       "missing_model", "model"},
      {R"({"model":"gemini-2.5-flash","service_tier":"flex","seed":1,)" + std::string(kChat) + "}",
       "missing_start_within", "start_within"},
      {R"({"model":"gemini-2.5-flash","start_within":"soon","service_tier":"flex","seed":1,)" +
           std::string(kChat) + "}",
       "invalid_start_within", "start_within"},
      {R"({"model":"gemini-2.5-flash","start_within":"auto","service_tier":"flex","seed":1,)" +
           std::string(kChat) + "}",
       "service_tier_not_allowed", "service_tier"},
      {R"({"model":"gemini-2.5-flash","start_within":"auto","seed":1,)" + std::string(kChat) + "}",
       "auto_unsupported_for_gemini", "start_within"},
      {R"({"model":"gemini-x","start_within":"00h-00m-30s","seed":1,)" + std::string(kChat) + "}",
       "model_not_flex_capable", "model"},
      {R"({"model":"gemini-2.5-flash","start_within":"default","n":2,)" + std::string(kChat) + "}",
       "unsupported_value", "n"},
      {R"({"model":"gemini-2.5-flash","start_within":"default","seed":1,)" + std::string(kChat) +
           "}",
       "unsupported_parameter", "seed"},
      {R"({"model":"gemini-2.5-flash","start_within":"default","store":true,)" +
           std::string(kChat) + "}",
       "unsupported_parameter", "store"},
      {R"({"model":"gemini-2.5-flash","start_within":"default",)" + std::string(kChat) + "}",
       "no_gemini_key", ""},
  };
  for (const auto& [text, code, param] : ladder) {
    CAPTURE(text);
    Sim sim;
    check_error(ask_keyless(sim, Dialect::chat, text), code, param);
  }
}

TEST_CASE("checks: in messages, to Anthropic and to the others") {
  const std::string rest = R"(,"messages":[{"role":"user","content":"hi"}]})";
  const std::string most = R"(,"max_tokens":9)" + rest;
  const std::string claude = R"({"model":"claude-sonnet-4-5","start_within":)";
  const std::string gemini = R"({"model":"gemini-2.5-flash","start_within":)";
  const std::vector<std::array<std::string, 3>> ladder = {
      {claude + R"("00h-00m-30s","service_tier":"auto","top_k":1)" + rest,
       "service_tier_not_allowed", "service_tier"},
      {claude + R"("00h-00m-30s","top_k":1)" + rest, "flex_unsupported_for_anthropic",
       "start_within"},
      {claude + R"("default","top_k":1)" + rest, "unsupported_parameter", "top_k"},
      {claude + R"("default")" + rest, "missing_max_tokens", "max_tokens"},
      {claude + R"("default")" + most, "no_anthropic_key", ""},
      {gemini + R"("default","top_k":1)" + most, "unsupported_parameter", "top_k"},
      {gemini + R"("default","container":"x")" + most, "unsupported_parameter", "container"},
      {gemini + R"("default")" + most, "no_gemini_key", ""},
  };
  for (const auto& [text, code, param] : ladder) {
    CAPTURE(text);
    Sim sim;
    const Reply& reply = ask_keyless(sim, Dialect::messages, text);
    check_error(reply, code, param);
    CHECK(json::Value{reply.body}["type"].equals("error"));
  }
}

TEST_CASE("checks: in interactions") {
  const std::string rest = R"(,"input":"hi"})";
  const std::string gemini = R"({"model":"gemini-2.5-flash","start_within":"default")";
  const std::string claude = R"({"model":"claude-sonnet-4-5","start_within":"default")";
  const std::string gpt = R"({"model":"gpt-5.4","start_within":"default")";
  const std::vector<std::array<std::string, 3>> ladder = {
      {gemini + R"(,"generation_config":{"seed":1})" + rest, "unsupported_generation_config",
       "generation_config.seed"},
      {gemini + R"(,"generation_config":{"stop_sequences":["x"]})" + rest,
       "unsupported_generation_config", "generation_config.stop_sequences"},
      {gemini + R"(,"background":true)" + rest, "unsupported_parameter", "background"},
      {gemini + rest, "no_gemini_key", ""},
      {claude + R"(,"generation_config":{"seed":1})" + rest, "unsupported_generation_config",
       "generation_config.seed"},
      {claude + rest, "missing_max_tokens", "generation_config.max_output_tokens"},
      {claude + R"(,"generation_config":{"max_output_tokens":9})" + rest, "no_anthropic_key", ""},
      {gpt + R"(,"previous_interaction_id":"v1_1")" + rest, "unsupported_parameter",
       "previous_interaction_id"},
      {gpt + R"(,"safety_settings":[{"category":"x"}])" + rest, "unsupported_parameter",
       "safety_settings"},
  };
  for (const auto& [text, code, param] : ladder) {
    CAPTURE(text);
    Sim sim;
    const Reply& reply = ask_keyless(sim, Dialect::interactions, text);
    check_error(reply, code, param);
    CHECK(json::Value{reply.body}["error"]["status"].exists());
  }
}

TEST_CASE("checks: in responses, to the others") {
  const std::string rest = R"(,"input":"hi"})";
  const std::string gemini = R"({"model":"gemini-2.5-flash","start_within":"default")";
  const std::string claude = R"({"model":"claude-sonnet-4-5","start_within":"default")";
  const std::vector<std::array<std::string, 3>> ladder = {
      {gemini + R"(,"previous_response_id":"resp_1")" + rest, "unsupported_parameter",
       "previous_response_id"},
      {gemini + R"(,"conversation":"conv_1")" + rest, "unsupported_parameter", "conversation"},
      {gemini + R"(,"tools":[{"type":"file_search"}])" + rest, "unsupported_parameter",
       "tools[0].type"},
      {gemini + rest, "no_gemini_key", ""},
      {claude + R"(,"text":{"format":{"type":"json_object"}})" + rest, "unsupported_parameter",
       "text.format"},
      {claude + rest, "missing_max_tokens", "max_output_tokens"},
      {claude + R"(,"max_output_tokens":9,"text":{"format":{"type":"json_object"}})" + rest,
       "unsupported_parameter", "text.format"},
      {claude + R"(,"max_output_tokens":9)" + rest, "no_anthropic_key", ""},
  };
  for (const auto& [text, code, param] : ladder) {
    CAPTURE(text);
    Sim sim;
    check_error(ask_keyless(sim, Dialect::responses, text), code, param);
  }
}

TEST_CASE("checks: without OpenAI's key no dialect reaches OpenAI") {
  for (const Dialect dialect : kDialects) {
    SimOptions options = three_providers();
    options.account.openai_key = "";
    Sim sim(options);
    const std::string text = request_of({dialect, Vendor::openai}, {});
    check_error(ask_keyless(sim, dialect, text), "no_byok_key", "");
  }
}

TEST_CASE("checks: each provider's own key is enough") {
  for (const Pair pair : every_pair()) {
    CAPTURE(pair.name());
    SimOptions options = three_providers();
    options.flexsim = true;
    if (pair.provider != Vendor::openai) options.account.openai_key = "";
    if (pair.provider != Vendor::gemini) options.account.gemini_key = "";
    if (pair.provider != Vendor::anthropic) options.account.anthropic_key = "";
    Sim sim(options);
    CHECK(ask(sim, pair, {}).status == 200);
  }
}
