// What the simulated providers say: the same scenario says the same on all three, streamed and not.
#include <doctest/doctest.h>

#include "client.hpp"
#include "flexsim/answer.hpp"
#include "flexsim/canned.hpp"
#include "flexsim/seal.hpp"
#include "said.hpp"

using namespace flexd;
using namespace flexd::flexsim;

namespace {

constexpr Vendor kAll[] = {Vendor::openai, Vendor::gemini, Vendor::anthropic};

// body_of is a request whose only text is `text`; `more` is further members with their commas.
std::string body_of(Vendor vendor, const std::string& text, bool stream,
                    const std::string& more = "") {
  const std::string last = more + (stream ? ",\"stream\":true}" : ",\"stream\":false}");
  switch (vendor) {
    case Vendor::openai:
      return R"({"model":"gpt-5.4","input":")" + text + "\"" + last;
    case Vendor::gemini:
      return R"({"model":"gemini-3.5-flash","input":")" + text + "\"" + last;
    case Vendor::anthropic:
      return R"({"model":"claude-opus-4-7","max_tokens":4096,"messages":[{"role":"user",)"
             R"("content":")" +
             text + "\"}]" + last;
  }
  return "";
}

// thinking is what makes a provider think and show it all.
std::string thinking(Vendor vendor) {
  switch (vendor) {
    case Vendor::openai:
      return R"(,"include":["reasoning.encrypted_content"])";
    case Vendor::gemini:
      return R"(,"generation_config":{"thinking_summaries":"auto"})";
    case Vendor::anthropic:
      return R"(,"thinking":{"type":"adaptive","display":"summarized"})";
  }
  return "";
}

Said ask(Client& client, Vendor vendor, const std::string& body, bool stream) {
  Answer& answer = client.post_to(vendor, body);
  CHECK(client.wait_closed(answer));
  CAPTURE(answer.body);
  REQUIRE(answer.status == 200);
  return stream ? said_in_stream(vendor, answer.body) : said_in_body(vendor, answer.body);
}

// without_ids leaves what all providers have in common.
Said without_ids(Said said) {
  said.blob.clear();
  for (Call& call : said.calls) call.id.clear();
  // A refusal is a text to those that have no refusals, and was stopped by their safety systems.
  if (!said.refusal.empty()) {
    said.text = said.refusal;
    said.refusal.clear();
    said.stop = "blocked";
  }
  return said;
}

}  // namespace

TEST_CASE("a scenario says the same on all providers, streamed and not") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  for (const char* marker :
       {"ok", "ok bytes=100 events=7", "incomplete", "incomplete content_filter", "tool-call",
        "tools", "interleaved", "agent 2", "reasoning", "reasoning-tools", "refusal", "json",
        "image", "unicode", "unicode events=3", "cached", "huge-event 5000", "split-bytes"}) {
    CAPTURE(marker);
    const std::string text = "Hi [flexsim:" + std::string(marker) + "]";
    const Said first =
        without_ids(ask(client, Vendor::openai,
                        body_of(Vendor::openai, text, false, thinking(Vendor::openai)), false));
    for (const Vendor vendor : kAll) {
      for (const bool stream : {false, true}) {
        CAPTURE(vendor_name(vendor));
        CAPTURE(stream);
        const std::string body = body_of(vendor, text, stream, thinking(vendor));
        const Said said = without_ids(ask(client, vendor, body, stream));
        CHECK(said.text == first.text);
        CHECK(said.calls == first.calls);
        CHECK(said.stop == first.stop);
        CHECK((said == first));
      }
    }
  }
}

TEST_CASE("each scenario says what it is for") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  const auto say = [&](const char* marker) {
    return without_ids(ask(client, Vendor::gemini,
                           body_of(Vendor::gemini, "[flexsim:" + std::string(marker) + "]", true),
                           true));
  };
  const Said tools = say("tools");
  REQUIRE(tools.calls.size() == 2);
  CHECK(tools.calls[0] == Call{"", "get_weather", R"({"city":"Paris"})"});
  CHECK(tools.calls[1] == Call{"", "get_time", "{}"});
  CHECK(tools.stop == "calls");
  CHECK(say("unicode").text ==
        "Caf\xc3\xa9 \"au lait\" \\o/ \xf0\x9f\x98\x80\n\xc3\x9c"
        "ber \xe2\x82\xac");
  const Said cached = say("cached");
  CHECK(cached.cached == 60);
  CHECK(cached.input == 100);
  CHECK(cached.reasoning == 20);
  CHECK(cached.output == 50);
  CHECK(say("ok input=7").input == 7);
  CHECK(say("refusal").text == kRefusalText);
  CHECK(say("refusal").stop == "blocked");
  CHECK(say("incomplete").stop == "length");
  CHECK(say("json").text == kNoJsonText);
  CHECK(say("reasoning").thought == kThoughtText);
}

TEST_CASE("ids are of the provider's own style, and blobs its own") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  const std::pair<Vendor, const char*> kIds[] = {{Vendor::openai, "call_flexsim_tools_2"},
                                                 {Vendor::gemini, "flexsim-tools-2"},
                                                 {Vendor::anthropic, "toolu_flexsim_tools_2"}};
  for (const auto& [vendor, id] : kIds) {
    const Said said = ask(client, vendor, body_of(vendor, "[flexsim:tools]", true), true);
    CHECK(said.calls.at(1).id == id);
    for (const bool stream : {false, true}) {
      const Said thought = ask(
          client, vendor, body_of(vendor, "[flexsim:reasoning]", stream, thinking(vendor)), stream);
      for (const Vendor other : kAll) CHECK(is_seal_of(other, thought.blob) == (other == vendor));
    }
  }
  CHECK_FALSE(is_seal_of(Vendor::openai, ""));
  CHECK_FALSE(is_seal_of(Vendor::openai, "gAAAAABf00000000"));
  std::string changed = seal(Vendor::gemini, "0123");
  CHECK(is_seal_of(Vendor::gemini, changed));
  changed[9] = '9';
  CHECK_FALSE(is_seal_of(Vendor::gemini, changed));
}

TEST_CASE("thoughts are shown only to those who ask") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  const auto say = [&](Vendor vendor, const char* more) {
    return ask(client, vendor, body_of(vendor, "[flexsim:reasoning]", true, more), true);
  };
  CHECK(say(Vendor::openai, "").blob.empty());
  CHECK(is_seal_of(Vendor::openai, say(Vendor::openai, R"(,"store":false)").blob));
  CHECK(say(Vendor::anthropic, "").blob.empty());
  CHECK(say(Vendor::anthropic, R"(,"thinking":{"type":"disabled"})").thought.empty());
  const Said omitted =
      say(Vendor::anthropic, R"(,"thinking":{"type":"adaptive","display":"omitted"})");
  CHECK(omitted.thought.empty());
  CHECK_FALSE(omitted.blob.empty());
  const Said hidden = say(Vendor::gemini, R"(,"generation_config":{"thinking_summaries":"none"})");
  CHECK(hidden.thought.empty());
  CHECK_FALSE(hidden.blob.empty());
}

TEST_CASE("JSON is said to those who ask for it") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  const std::pair<Vendor, const char*> kSchemas[] = {
      {Vendor::openai, R"(,"text":{"format":{"type":"json_schema","name":"x","schema":{}}})"},
      {Vendor::openai, R"(,"text":{"format":{"type":"json_object"}})"},
      {Vendor::gemini,
       R"(,"response_format":{"type":"text","mime_type":"application/json","schema":{}})"},
      {Vendor::anthropic, R"(,"output_config":{"format":{"type":"json_schema","schema":{}}})"}};
  for (const auto& [vendor, more] : kSchemas) {
    for (const bool stream : {false, true}) {
      CHECK(ask(client, vendor, body_of(vendor, "[flexsim:json]", stream, more), stream).text ==
            kJsonText);
    }
  }
}

TEST_CASE("images and files are told by kind and size") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  // "AAAA" and "AAA=" are three and two bytes.
  constexpr const char* kOpenai = R"({"model":"m","input":[{"role":"user","content":[
      {"type":"input_text","text":"[flexsim:image]"},
      {"type":"input_image","image_url":"data:image/png;base64,AAAA"},
      {"type":"input_image","image_url":"https://x/y.png","detail":"low"},
      {"type":"input_image","file_id":"file_1"},
      {"type":"input_file","filename":"a.pdf",
       "file_data":"data:application/pdf;x=1;base64,AAA="}]}]})";
  CHECK(ask(client, Vendor::openai, kOpenai, false).text ==
        "3 images: image/png base64 3 bytes, url https://x/y.png, id file_1; 1 file: "
        "application/pdf base64 2 bytes");
  constexpr const char* kGemini = R"({"model":"m","input":[
      {"type":"text","text":"[flexsim:image]"},
      {"type":"image","data":"AAAA","mime_type":"image/png"},
      {"type":"image","uri":"https://x/y.png"},
      {"type":"document","data":"AAA=","mime_type":"application/pdf"}]})";
  CHECK(ask(client, Vendor::gemini, kGemini, false).text ==
        "2 images: image/png base64 3 bytes, url https://x/y.png; 1 file: application/pdf base64 2 "
        "bytes");
  constexpr const char* kAnthropic =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
      {"type":"image","source":{"type":"url","url":"https://x/y.png"}},
      {"type":"document","source":{"type":"text","media_type":"text/plain","data":"h\u00e9\n"}},
      {"type":"text","text":"[flexsim:image]"}]}]})";
  CHECK(ask(client, Vendor::anthropic, kAnthropic, false).text ==
        "2 images: image/png base64 3 bytes, url https://x/y.png; 1 file: text/plain text 4 bytes");
}

TEST_CASE("only OpenAI interleaves the deltas of two calls") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  Answer& answer =
      client.post_to(Vendor::openai, body_of(Vendor::openai, "[flexsim:interleaved]", true));
  CHECK(client.wait_closed(answer));
  std::string order;
  for (const std::string& data : data_of(Vendor::openai, answer.body)) {
    const json::Value event{data};
    if (!event["type"].equals("response.function_call_arguments.delta")) continue;
    order += event["output_index"].text;
  }
  CHECK(order == "0101");
}

TEST_CASE("heads have the fields of their provider and of no other") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  constexpr const char* kFields[] = {"x-request-id", "x-gemini-service-tier", "request-id"};
  for (const Vendor vendor : kAll) {
    for (const char* marker : {"ok", "error 500"}) {
      Answer& answer = client.post_to(
          vendor, body_of(vendor, "[flexsim:" + std::string(marker) + "]", true,
                          vendor == Vendor::gemini ? R"(,"service_tier":"flex")" : ""));
      CHECK(client.wait_closed(answer));
      for (size_t i = 0; i < std::size(kFields); i++) {
        CHECK(answer.fields.count(kFields[i]) == (static_cast<size_t>(vendor) == i ? 1 : 0));
      }
      if (vendor == Vendor::gemini) {
        CHECK(answer.field("x-gemini-service-tier") == "flex");
        CHECK(answer.field("server-timing").starts_with("gfet4t7; dur="));
      }
      if (vendor == Vendor::anthropic) {
        CHECK(answer.field("anthropic-ratelimit-tokens-reset").size() == 20);
        const bool is_error = answer.status != 200;
        CHECK((answer.field("request-id") == "req_flexsim") == is_error);
        CHECK(answer.has("\"request_id\":\"req_flexsim\"") == is_error);
      }
    }
  }
}

TEST_CASE("the report counts each provider's attempts") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  Answer& flex = client.post_to(
      Vendor::gemini,
      body_of(Vendor::gemini, "hi", true, R"(,"service_tier":"flex","labels":{"trace":"t9"})"));
  CHECK(client.wait_closed(flex));
  CHECK(provider.record().vendor == Vendor::gemini);
  CHECK(provider.record().trace.view() == "t9");
  Answer& other = client.post_to(
      Vendor::anthropic, body_of(Vendor::anthropic, "hi", false, R"(,"service_tier":"auto")"));
  CHECK(client.wait_closed(other));
  CHECK(other.has(R"("service_tier":"priority")"));
  const Report report = provider.simulator->report();
  const auto at = [&](Vendor vendor, Tier tier) {
    return report.vendors[static_cast<size_t>(vendor)][static_cast<size_t>(tier)];
  };
  CHECK(at(Vendor::gemini, Tier::flex).started == 1);
  CHECK(at(Vendor::anthropic, Tier::automatic).attempts == 1);
  CHECK(at(Vendor::openai, Tier::flex).attempts == 0);
  CHECK(report.tiers[static_cast<size_t>(Tier::flex)].attempts == 1);
  const std::string text = report.to_json();
  const json::Value shown{text};
  CHECK(shown["providers"]["gemini"]["flex"]["completed"].to_int64() == 1);
  CHECK(text.find(R"("provider":"anthropic")") != std::string::npos);
}
