#include "flexd/surface/usage_tap.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "usage_tap_cases.hpp"

using namespace flexd;
using namespace flexd::surface;
using errors::Provider;

namespace {

constexpr std::string_view kResponse = R"json({
  "id": "resp_1", "object": "response", "created_at": 1763740800, "status": "completed",
  "error": null, "instructions": "Say \"usage\": {\"input_tokens\": 1} and \\",
  "model": "gpt-5.4",
  "output": [{"type": "message", "content": [{"type": "output_text", "annotations": [],
    "text":
    "A \\\"usage\": } ] ü \u0022 and text of more than a block, \"service_tier\":\"no\" in it."}]}],
  "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties":
    {"usage": {"input_tokens": 7}, "service_tier": {"type": "string"}}}}],
  "serv": 1, "usag": {"input_tokens": 3}, "usages": 2, "service_tier2": "x", "store": true,
  "service_tier" : "default",
  "temperature": 1.0, "text": {"format": {"type": "text"}}, "top_p": 1.0,
  "usage" : { "input_tokens": 328, "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 52, "output_tokens_details": { "reasoning_tokens": 11 }, "total_tokens": 380 },
  "user": null, "metadata": {"usage": "none"}
})json";

// The same without blanks, as the short ways take it.
constexpr std::string_view kCompact =
    R"({"id":"resp_1","output":[{"usage":{"input_tokens":5}}],"service_tier":"flex","usage":)"
    R"({"input_tokens":328,"input_tokens_details":{"cached_tokens":64},"output_tokens":52,)"
    R"("output_tokens_details":{"reasoning_tokens":11},"total_tokens":380},"metadata":{}})";

constexpr std::string_view kInteraction =
    R"({"id":"v1_1","status":"completed","object":"interaction","model":"gemini-3.5-flash",)"
    R"("usage":{"total_input_tokens":9,"input_tokens_by_modality":[{"modality":"text",)"
    R"("tokens":9}],"total_cached_tokens":2,"total_output_tokens":4,"total_thought_tokens":3,)"
    R"("total_tool_use_tokens":1,"total_tokens":17},"service_tier":"standard",)"
    R"("steps":[{"type":"model_output","content":[{"type":"text","text":"usage"}]}]})";

constexpr std::string_view kMessage =
    R"({"id":"msg_1","type":"message","role":"assistant","content":[{"type":"tool_use",)"
    R"("id":"t","name":"usage","input":{"usage":{"input_tokens":1000}}}],)"
    R"("stop_reason":"tool_use","usage":{"input_tokens":9,"cache_creation_input_tokens":5,)"
    R"("cache_read_input_tokens":6,"cache_creation":{"ephemeral_5m_input_tokens":5},)"
    R"("output_tokens":4,"output_tokens_details":{"thinking_tokens":1},)"
    R"("service_tier":"priority"}})";

struct Rig {
  BlockPool pool{1U << 20U};
  UsageTap tap{pool};
};

// read_in_parts feeds the answer cut at `first` and `second`.
TapFound read_in_parts(Rig& rig, Provider provider, std::string_view answer, size_t first,
                       size_t second, const json::TextKernels& kernels) {
  rig.tap.begin(provider);
  const size_t cuts[] = {0, first, second, answer.size()};
  for (size_t i = 0; i + 1 < std::size(cuts); ++i) {
    // Parts of their own, so that reading past one shows.
    const size_t size = cuts[i + 1] - cuts[i];
    const auto part = std::make_unique<char[]>(size);
    answer.copy(part.get(), size, cuts[i]);
    rig.tap.feed({part.get(), size}, kernels);
  }
  rig.tap.stop();
  CHECK(rig.pool.in_use_bytes() == 0);
  return found_by(rig.tap);
}

TapFound read_whole(Provider provider, std::string_view answer) {
  Rig rig;
  return read_in_parts(rig, provider, answer, 0, 0, json::best_kernels());
}

}  // namespace

TEST_CASE("usage tap: the counts and the tier of each provider's answer") {
  const TapFound openai = read_whole(Provider::openai, kResponse);
  CHECK(openai.usage.known);
  CHECK(openai.usage.input_tokens == 328);
  CHECK(openai.usage.cached_tokens == 64);
  CHECK(openai.usage.output_tokens == 52);
  CHECK(openai.usage.reasoning_tokens == 11);
  CHECK(openai.tier == "default");
  const TapFound gemini = read_whole(Provider::gemini, kInteraction);
  CHECK(gemini.usage.input_tokens == 10);
  CHECK(gemini.usage.output_tokens == 7);
  CHECK(gemini.tier == "standard");
  const TapFound anthropic = read_whole(Provider::anthropic, kMessage);
  CHECK(anthropic.usage.input_tokens == 20);
  CHECK(anthropic.usage.cached_tokens == 6);
  CHECK(anthropic.usage.cache_write_tokens == 5);
  CHECK(anthropic.usage.output_tokens == 4);
  CHECK(anthropic.tier == "priority");
}

TEST_CASE("usage tap: wherever an answer is cut") {
  struct Case {
    Provider provider;
    std::string_view answer;
  };
  for (const Case& c :
       {Case{Provider::openai, kResponse}, Case{Provider::openai, kCompact},
        Case{Provider::gemini, kInteraction}, Case{Provider::anthropic, kMessage}}) {
    const TapFound whole = find_whole(c.provider, c.answer);
    REQUIRE(whole.usage.known);
    Rig rig;
    for (const json::TextKernels& kernels : json::supported_kernels()) {
      CAPTURE(kernels.name);
      for (size_t first = 0; first <= c.answer.size(); ++first) {
        CAPTURE(first);
        const auto read = [&](size_t second) {
          return read_in_parts(rig, c.provider, c.answer, first, second, kernels);
        };
        REQUIRE(read(c.answer.size()) == whole);
        REQUIRE(read(std::min(first + 1, c.answer.size())) == whole);
        REQUIRE(read(std::min(first + 70, c.answer.size())) == whole);
      }
      rig.tap.begin(c.provider);
      for (const char& byte : c.answer) rig.tap.feed({&byte, 1}, kernels);
      CHECK(found_by(rig.tap) == whole);
      CHECK(!rig.tap.is_active());
    }
  }
}

TEST_CASE("usage tap: odd answers") {
  const auto tier = [](std::string_view answer) {
    return read_whole(Provider::openai, answer).tier;
  };
  const auto known = [](std::string_view answer) {
    return read_whole(Provider::openai, answer).usage.known;
  };
  constexpr std::string_view kUsage = R"("usage":{"input_tokens":1,"output_tokens":2})";
  const std::string usage(kUsage);
  CHECK(known("{" + usage + "}"));
  CHECK(known(" \r\n\t{" + usage + "}"));
  CHECK(known("{\"a\":[[{}]],\n" + usage + "}"));
  // Not an object, or an object deeper down.
  for (const char* const text : {"", " ", "null", "[]", "\"usage\"", "x", "{}", "{\"usage\":1}"}) {
    CAPTURE(text);
    CHECK(!known(text));
    CHECK(tier(text).empty());
  }
  CHECK(!known("[{" + usage + "}]"));
  CHECK(!known("{\"a\":{" + usage + "}}"));
  CHECK(!known("{\"a\":[\"usage\"]}"));
  CHECK(!known(R"({"a":"usage","b":{"input_tokens":1}})"));
  CHECK(!known(R"({"us\u0061ge":{"input_tokens":1}})"));
  // The first of two counts.
  CHECK(!known("{\"usage\":null," + usage + "}"));
  CHECK(read_whole(Provider::openai, "{" + usage + R"(,"usage":{"input_tokens":5}})")
            .usage.input_tokens == 1);
  CHECK(tier(R"({"service_tier":"a","service_tier":"b"})") == "a");
  CHECK(tier(R"({"service_tier":null,"service_tier":"b"})").empty());
  CHECK(tier(R"({"service_tier":"fl\u0065x"})").empty());
  CHECK(tier(R"({"service_tier":""})").empty());
  const std::string longest(32, 't');
  CHECK(tier("{\"service_tier\":\"" + longest + "\"}") == longest);
  CHECK(tier("{\"service_tier\":\"" + longest + "t\"}").empty());
  // Broken text.
  CHECK(!known("{\\" + usage + "}"));
  CHECK(!known("}" + usage + "}"));
  CHECK(!known("{}" + usage + "}"));
  CHECK(!known("{\"a\":\"" + usage + "}"));
  CHECK(!known(R"({"usage":{"input_tokens":1)"));
}

TEST_CASE("usage tap: a usage object as long as is kept, and one byte longer") {
  const std::string head = R"({"usage":)";
  const std::string counts = R"({"input_tokens":1,"x":")";
  const std::string tail = R"("})";
  for (const size_t extra : {size_t{0}, size_t{1}}) {
    const size_t filling = kTapUsageBytesMax - counts.size() - tail.size() + extra;
    const std::string answer = head + counts + std::string(filling, 'x') + tail + "}";
    Rig rig;
    for (const size_t cut : {size_t{0}, size_t{5}, size_t{100}, answer.size() - 3}) {
      CAPTURE(cut);
      const auto found =
          read_in_parts(rig, Provider::openai, answer, cut, cut, json::best_kernels());
      CHECK(found.usage.known == (extra == 0));
    }
  }
}

TEST_CASE("usage tap: without memory there is no usage, and no fault") {
  BlockPool pool(0);
  UsageTap tap(pool);
  tap.begin(Provider::openai);
  tap.feed(R"({"usage":{"input_tokens":1,)");
  tap.feed(R"("output_tokens":2},"service_tier":"flex"})");
  CHECK(!tap.usage().known);
  CHECK(tap.service_tier() == "flex");
  // In one part it needs none; and nothing of the answer before is left.
  tap.begin(Provider::openai);
  CHECK(tap.service_tier().empty());
  tap.feed(R"({"usage":{"input_tokens":1}})");
  CHECK(tap.usage().known);
}
