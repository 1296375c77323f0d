// Anthropic in its own dialect: its tiers, its headers, its bytes.
#include <doctest/doctest.h>

#include "dialects.hpp"
#include "vendor_events.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

constexpr Pair kPair{Dialect::messages, Vendor::anthropic};

// answered_with answers every request alike.
void answer_with(Sim& sim, const Play& play) {
  sim.provider.choose = [play](const Seen&) { return play; };
}

// only_request is the one that came.
const Seen& only_request(const Sim& sim) {
  REQUIRE(sim.provider.seen().size() == 1);
  return sim.provider.seen().front();
}

}  // namespace

TEST_CASE("anthropic: each start_within is its tier; a duration is refused") {
  const std::vector<std::array<std::string, 2>> words = {
      {"default", "standard_only"}, {"priority", "auto"}, {"auto", "auto"}};
  for (const auto& [start_within, tier] : words) {
    CAPTURE(start_within);
    Sim sim(three_providers());
    VendorEvents events(Vendor::anthropic);
    answer_with(sim, Play().json(200, events.object()));
    const Reply& reply = ask(sim, kPair, {.start_within = start_within});
    CHECK(reply.status == 200);
    CHECK(difference(reply.body, events.object()) == "");
    CHECK(reply.tier() == tier);
    CHECK(reply.reason() == "tier_direct");
    CHECK(reply.field("x-flexinference-served-provider") == "anthropic");
    const Seen& seen = only_request(sim);
    CHECK(seen.provider == Vendor::anthropic);
    CHECK(seen.path == "/v1/messages");
    CHECK(seen.tier == tier);
    CHECK(seen.field("x-api-key") == "sk-ant-sim");
    CHECK(seen.field("authorization").empty());
    CHECK(seen.body.find("start_within") == std::string::npos);
  }
  Sim sim(three_providers());
  const Reply& reply = ask(sim, kPair, {.start_within = std::string(kDuration)});
  CHECK(reply.status == 400);
  CHECK(reply.code() == "flex_unsupported_for_anthropic");
  CHECK(json::Value{reply.body}["type"].equals("error"));
  CHECK(sim.provider.seen().empty());
}

TEST_CASE("anthropic: streams come byte for byte") {
  Sim sim(three_providers());
  VendorEvents events(Vendor::anthropic);
  Play play;
  play.sse().send(events.opening()).wait(kSecond);
  play.send(": comment\n\n" + events.start() +
            "event: brand_new\ndata: {\"type\":\"brand_new\"}\n\n");
  const std::string delta = events.delta("Hi");
  play.send(delta.substr(0, 20)).wait(kSecond);
  play.send(delta.substr(20) + events.finish()).finish();
  answer_with(sim, play);
  const Reply& reply = sim.ask_at("/v1/messages?beta=true", request_of(kPair, {.stream = true}));
  CHECK(reply.status == 200);
  CHECK(reply.whole);
  CHECK(difference(reply.body, play.sent()) == "");
  CHECK(reply.field("content-type") == "text/event-stream; charset=utf-8");
  CHECK(only_request(sim).path == "/v1/messages");
  CHECK(only_request(sim).streamed);
}

TEST_CASE("anthropic: what is not asked of the gateway goes up as it was written") {
  Sim sim(three_providers());
  answer_with(sim, Play().json(200, VendorEvents(Vendor::anthropic).object()));
  const std::string text =
      R"({ "max_tokens" : 1e2, "model":"claude-sonnet-4-5", "unknown":[1.0,"\u00e9"],)"
      R"("start_within":"default","messages":[{"role":"user","content":"Hi"}] })";
  CHECK(sim.ask_at("/v1/messages", text).status == 200);
  const std::string& body = only_request(sim).body;
  CAPTURE(body);
  CHECK(
      body.find(R"( "max_tokens" : 1e2, "model":"claude-sonnet-4-5", "unknown":[1.0,"\u00e9"])") !=
      std::string::npos);
  CHECK(body.find(R"("messages":[{"role":"user","content":"Hi"}])") != std::string::npos);
  CHECK(body.find("start_within") == std::string::npos);
}

TEST_CASE("anthropic: the version and betas are the caller's, or the stable version") {
  struct Case {
    std::string sent;
    std::string version;
    std::string beta;
  };
  const std::vector<Case> cases = {
      {"", "2023-06-01", ""},
      {"anthropic-version: 2026-10-21\r\nAnthropic-Beta: a-1,b-2\r\n", "2026-10-21", "a-1,b-2"}};
  for (const Case& c : cases) {
    Sim sim(three_providers());
    answer_with(sim, Play().json(200, VendorEvents(Vendor::anthropic).object()));
    CHECK(ask(sim, kPair, {}, c.sent).status == 200);
    const Seen& seen = only_request(sim);
    CHECK(seen.field("anthropic-version") == c.version);
    CHECK(seen.field("anthropic-beta") == c.beta);
  }
  // Of another dialect's caller neither is: the body is the gateway's.
  Sim sim(three_providers());
  answer_with(sim, Play().json(200, VendorEvents(Vendor::anthropic).object()));
  CHECK(ask(sim, {Dialect::chat, Vendor::anthropic}, {},
            "anthropic-version: 2026-10-21\r\nanthropic-beta: a-1\r\n")
            .status == 200);
  CHECK(only_request(sim).field("anthropic-version") == "2023-06-01");
  CHECK(only_request(sim).field("anthropic-beta").empty());
}

TEST_CASE("anthropic: its request id, or the gateway's, is where the SDK looks") {
  for (const bool theirs : {false, true}) {
    Sim sim(three_providers());
    Fields fields = {{"content-type", "application/json"}};
    if (theirs) fields.emplace_back("request-id", "req_up");
    fields.emplace_back("anthropic-ratelimit-requests-reset", "2026-11-21T10:00:00Z");
    fields.emplace_back("set-cookie", "a=b");
    answer_with(sim, Play().answer(200, fields, VendorEvents(Vendor::anthropic).object()));
    const Reply& reply = ask(sim, kPair, {}, "X-Request-Id: mine\r\n");
    CHECK(reply.field("x-flexinference-request-id") == "mine");
    CHECK(reply.field("request-id") == (theirs ? "req_up" : "mine"));
    CHECK(reply.count("request-id") == 1);
    CHECK(reply.field("x-request-id") == "mine");
    CHECK(reply.field("anthropic-ratelimit-requests-reset") == "2026-11-21T10:00:00Z");
    CHECK(!reply.has("set-cookie"));
  }
}

TEST_CASE("anthropic: pings are no progress, and a silent answer ends in a timeout") {
  for (const bool stream : {false, true}) {
    SimOptions options = three_providers();
    options.settings.idle_timeout_ns = 60 * kSecond;
    Sim sim(options);
    VendorEvents events(Vendor::anthropic);
    Play play;
    if (stream) {
      play.sse().send(events.begun());
      for (int i = 0; i < 30; ++i) play.wait(5 * kSecond).send(events.silence());
    } else {
      play.head(200, {{"content-type", "application/json"}}).send("{\"id\":").wait(200 * kSecond);
    }
    answer_with(sim, play);
    const uint64_t before_ns = sim.world.now_ns();
    Client& client = send(sim, kPair, {.stream = stream});
    sim.run_until_true([&] { return client.is_closed() || client.whole_replies() > 0; });
    const uint64_t took_ns = sim.world.now_ns() - before_ns;
    CHECK(took_ns > 59 * kSecond);
    CHECK(took_ns < 62 * kSecond);
    CHECK(only_request(sim).cancelled());
    if (!stream) {
      CHECK(!client.reply().whole);
      continue;
    }
    const Reply& reply = client.reply();
    CHECK(reply.whole);
    const Terminals ends = terminals_of(Dialect::messages, reply.body);
    CHECK(ends.good == 0);
    CHECK(ends.bad == 1);
    CHECK(ends.at_end);
    CHECK(ends.failure.find("upstream_timeout") != std::string::npos);
  }
}

TEST_CASE("anthropic: an answer at work is not idle, however long it takes") {
  SimOptions options = three_providers();
  options.settings.idle_timeout_ns = 20 * kSecond;
  Sim sim(options);
  VendorEvents events(Vendor::anthropic);
  Play play;
  play.sse().send(events.opening() + events.start());
  for (int i = 0; i < 20; ++i) play.wait(15 * kSecond).send(events.delta("x"));
  play.send(events.finish()).finish();
  answer_with(sim, play);
  const Reply& reply = ask(sim, kPair, {.stream = true});
  CHECK(reply.whole);
  std::string body = reply.body;
  for (size_t at = body.find(": keep-alive\n\n"); at != std::string::npos;
       at = body.find(": keep-alive\n\n", at)) {
    body.erase(at, 14);
  }
  CHECK(difference(body, play.sent()) == "");
}

TEST_CASE("anthropic: a stream that is cut ends in an error event") {
  for (const bool reset : {false, true}) {
    Sim sim(three_providers());
    VendorEvents events(Vendor::anthropic);
    Play play;
    const std::string begun = events.begun();
    play.sse().send(begun + "event: content_block_delta\ndata: {").wait(kSecond);
    reset ? play.reset(kInternalCode) : play.finish();
    answer_with(sim, play);
    const Reply& reply = ask(sim, kPair, {.stream = true}, "X-Request-Id: mine\r\n");
    CHECK(reply.whole);
    REQUIRE(reply.body.starts_with(begun));
    const Terminals ends = terminals_of(Dialect::messages, reply.body);
    CHECK(ends.good == 0);
    CHECK(ends.bad == 1);
    CHECK(ends.at_end);
    const json::Value failure{ends.failure};
    CHECK(failure["type"].equals("error"));
    CHECK(failure["request_id"].equals("mine"));
    CHECK(failure["error"]["type"].exists());
    CHECK(failure["error"]["code"].equals("upstream_stream_failed"));
  }
}

TEST_CASE("anthropic: a body that is cut never looks whole") {
  Sim sim(three_providers());
  const std::string object = VendorEvents(Vendor::anthropic).object();
  answer_with(sim, Play()
                       .head(200, {{"content-type", "application/json"}})
                       .send(object.substr(0, 50))
                       .wait(kSecond)
                       .reset(kInternalCode));
  Client& client = send(sim, kPair, {});
  sim.run_until_true([&] { return client.is_closed() || client.whole_replies() > 0; });
  CHECK(client.whole_replies() == 0);
  CHECK(json_text(sim.last_line(), "outcome") == "stream_failed");
}

TEST_CASE("anthropic: errors come byte for byte, in the stream too") {
  const std::string overloaded =
      R"({"type":"error", "error":{"type":"overloaded_error","message":"Overloaded"},)"
      R"("request_id":"req_1"})";
  for (const bool stream : {false, true}) {
    Sim sim(three_providers());
    answer_with(sim, Play().answer(529,
                                   {{"content-type", "application/json"},
                                    {"x-should-retry", "true"},
                                    {"request-id", "req_1"}},
                                   overloaded));
    const Reply& reply = ask(sim, kPair, {.stream = stream});
    CHECK(reply.status == 529);
    CHECK(reply.body == overloaded);
    CHECK(reply.field("x-should-retry") == "true");
    CHECK(reply.field("request-id") == "req_1");
    CHECK(reply.tier() == "standard_only");
  }
  Sim sim(three_providers());
  VendorEvents events(Vendor::anthropic);
  const Play play = Play().sse().send(events.begun() + events.failure()).finish();
  answer_with(sim, play);
  const Reply& reply = ask(sim, kPair, {.stream = true});
  CHECK(difference(reply.body, play.sent()) == "");
  CHECK(json_text(sim.last_line(), "outcome") == "provider_error");
}
