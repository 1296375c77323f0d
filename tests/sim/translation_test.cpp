// Any dialect reaches any provider: what a model says arrives, whichever way it is asked.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "dialects.hpp"
#include "vendor_events.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// Scenario is one of flexsim's with what it says on every provider. No tokens: not to be compared.
struct Scenario {
  std::string name;
  std::string text;
  std::vector<std::string> calls;  // name and arguments
  std::string stop;
  int64_t input = 0;
  int64_t output = 0;
};

const std::string kHello = "Hello! This is a simulated answer.";
const std::string kParis = R"(get_weather{"city":"Paris"})";

std::vector<Scenario> scenarios() {
  return {
      {"ok", kHello, {}, "end", 0, 9},
      {"incomplete", kHello, {}, "length", 0, 9},
      {"tool-call", "", {kParis}, "calls", 0, 9},
      {"tools", "", {kParis, "get_time{}"}, "calls", 100, 30},
      {"interleaved", "", {kParis, R"(get_weather{"city":"London"})"}, "calls", 100, 30},
      {"agent 1", "", {kParis}, "calls", 100, 20},
      {"reasoning", kHello, {}, "end", 0, 73},
      {"reasoning-tools", "", {kParis}, "calls", 100, 84},
      {"cached", kHello, {}, "end", 100, 50},
      {"unicode",
       "Caf\xc3\xa9 \"au lait\" \\o/ \xf0\x9f\x98\x80\n\xc3\x9c"
       "ber \xe2\x82\xac",
       {},
       "end",
       100,
       20},
      {"split-bytes", kHello, {}, "end", 0, 9},
      {"start-after 3s", kHello, {}, "end", 0, 9},
  };
}

SimOptions with_flexsim() {
  SimOptions options = three_providers();
  options.flexsim = true;
  return options;
}

std::vector<std::string> starts_of(Pair pair) {
  return pair.races() ? std::vector<std::string>{"default", std::string(kDuration)}
                      : std::vector<std::string>{"default"};
}

std::string tier_of(Pair pair, const std::string& start_within) {
  if (start_within == kDuration) return "flex";
  constexpr std::array<std::string_view, 3> kTiers = {"default", "standard", "standard_only"};
  return std::string(kTiers[static_cast<size_t>(pair.provider)]);
}

// check_stream holds a good stream to what every reader of its dialect relies on.
void check_stream(Dialect dialect, const std::string& body) {
  const Terminals ends = terminals_of(dialect, body);
  CHECK(ends.good == 1);
  CHECK(ends.bad == 0);
  CHECK(ends.at_end);
  if (dialect != Dialect::responses) return;
  int64_t expected = 0;
  for (const Frame& frame : frames_of(body)) {
    CHECK(json::Value{frame.data}["sequence_number"].to_int64() == expected);
    ++expected;
  }
}

void check_head(Pair pair, const Reply& reply, const Question& question) {
  CHECK(reply.status == 200);
  CHECK(reply.whole);
  CHECK(reply.field("content-type") ==
        (question.stream ? "text/event-stream; charset=utf-8" : "application/json"));
  CHECK(reply.count("content-type") == 1);
  CHECK(reply.field("x-flexinference-served-provider") == errors::provider_word(pair.provider));
  CHECK(reply.tier() == tier_of(pair, question.start_within));
  CHECK(reply.reason() == (question.start_within == kDuration ? "flex_won" : "tier_direct"));
  for (const char* const name : {"x-request-id", "request-id", "x-flexinference-request-id"}) {
    CAPTURE(name);
    CHECK(reply.count(name) == 1);
    CHECK(!reply.field(name).empty());
  }
  CHECK(reply.has("cache-control") == question.stream);
}

void check_said(const Said& said, const Scenario& scenario) {
  CHECK(said.text == scenario.text);
  CHECK(said.refusal.empty());
  std::vector<std::string> calls;
  std::set<std::string> ids;
  for (const flexsim::Call& call : said.calls) {
    calls.push_back(call.name + call.arguments);
    ids.insert(call.id);
  }
  CHECK(calls == scenario.calls);
  CHECK(ids.size() == calls.size());
  CHECK(!ids.contains(""));
  CHECK(said.stop == scenario.stop);
  CHECK(said.output == scenario.output);
  if (scenario.input != 0) CHECK(said.input == scenario.input);
}

}  // namespace

TEST_CASE("translation: what is said arrives, in every dialect from every provider") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    Sim sim(with_flexsim());
    for (const Scenario& scenario : scenarios()) {
      for (const std::string& start_within : starts_of(pair)) {
        for (const bool stream : {false, true}) {
          const Question question{.text = "[flexsim:" + scenario.name + "]",
                                  .start_within = start_within,
                                  .stream = stream};
          CAPTURE(scenario.name);
          CAPTURE(start_within);
          CAPTURE(stream);
          const Reply& reply = ask(sim, pair, question);
          CAPTURE(reply.body);
          check_head(pair, reply, question);
          if (reply.status != 200) continue;
          if (stream) check_stream(pair.dialect, reply.body);
          check_said(said_in(pair.dialect, stream, reply.body), scenario);
        }
      }
    }
  }
}

TEST_CASE("translation: a refusal is told in the words of the dialect") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    Sim sim(with_flexsim());
    for (const bool stream : {false, true}) {
      CAPTURE(stream);
      const Reply& reply = ask(sim, pair, {.text = "[flexsim:refusal]", .stream = stream});
      CHECK(reply.status == 200);
      const Said said = said_in(pair.dialect, stream, reply.body);
      CHECK(said.text + said.refusal == "I cannot help with that.");
      if (pair.dialect == Dialect::messages && pair.provider != Vendor::gemini) {
        CHECK(said.stop == "blocked");
      }
      if (pair.dialect == Dialect::chat && pair.provider == Vendor::openai) {
        CHECK(said.refusal == "I cannot help with that.");
      }
    }
  }
}

TEST_CASE("translation: an event of 300,000 bytes comes through") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    Sim sim(with_flexsim());
    for (const bool stream : {false, true}) {
      const Reply& reply =
          ask(sim, pair, {.text = "[flexsim:huge-event 300000]", .stream = stream});
      CHECK(reply.status == 200);
      CHECK(reply.whole);
      CHECK(said_in(pair.dialect, stream, reply.body).text.size() >= 300'000);
    }
  }
}

TEST_CASE("translation: JSON in place of a stream still becomes a stream") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    Sim sim(with_flexsim());
    for (const std::string& start_within : starts_of(pair)) {
      CAPTURE(start_within);
      const Question question{
          .text = "[flexsim:early-json]", .start_within = start_within, .stream = true};
      const Reply& reply = ask(sim, pair, question);
      CAPTURE(reply.body);
      check_head(pair, reply, question);
      check_stream(pair.dialect, reply.body);
      CHECK(said_in(pair.dialect, true, reply.body).text == kHello);
    }
  }
}

TEST_CASE("translation: provider's names of headers stay, the other request id is the gateway's") {
  for (const Pair pair : every_pair()) {
    CAPTURE(pair.name());
    Sim sim(three_providers());
    VendorEvents events(pair.provider);
    Fields fields = {{"content-type", "application/json"},
                     {"x-gemini-service-tier", "standard"},
                     {"x-ratelimit-limit-requests", "5"},
                     {"anthropic-ratelimit-requests-limit", "6"},
                     {"set-cookie", "a=b"},
                     {"alt-svc", "h3"}};
    const bool has_x = pair.provider == Vendor::openai;
    const bool has_plain = pair.provider == Vendor::anthropic;
    if (has_x) fields.emplace_back("x-request-id", "up_1");
    if (has_plain) fields.emplace_back("request-id", "up_2");
    sim.provider.choose = [&](const Seen&) { return Play().answer(200, fields, events.object()); };
    const Reply& reply = ask(sim, pair, {}, "X-Request-Id: mine\r\n");
    CHECK(reply.status == 200);
    CHECK(reply.field("x-flexinference-request-id") == "mine");
    CHECK(reply.field("x-request-id") == (has_x ? "up_1" : "mine"));
    if (pair.is_translated()) CHECK(reply.field("request-id") == (has_plain ? "up_2" : "mine"));
    CHECK(reply.has("x-ratelimit-limit-requests") == has_x);
    CHECK(reply.has("anthropic-ratelimit-requests-limit") == has_plain);
    CHECK(reply.has("x-gemini-service-tier") == (pair.provider == Vendor::gemini));
    CHECK(!reply.has("set-cookie"));
    CHECK(!reply.has("alt-svc"));
    CHECK(sim.provider.seen().size() == 1);
    CHECK(sim.provider.seen().front().provider == pair.provider);
  }
}

TEST_CASE("translation: a lost race is answered by the standard attempt") {
  for (const Pair pair : translated_pairs()) {
    if (!pair.races()) continue;
    for (const bool stream : {false, true}) {
      CAPTURE(pair.name());
      CAPTURE(stream);
      Sim sim(three_providers());
      VendorEvents flex(pair.provider, "flex", "f1");
      VendorEvents standard(pair.provider, tier_of(pair, "default"), "s1");
      sim.provider.flex_play.sse().send(flex.opening()).wait(100 * kSecond);
      sim.provider.standard_play.sse().send(standard.whole()).finish();
      const Reply& reply =
          ask(sim, pair, {.start_within = std::string(kDuration), .stream = stream});
      CHECK(reply.reason() == "flex_deadline");
      CHECK(reply.tier() == tier_of(pair, "default"));
      CHECK(said_in(pair.dialect, stream, reply.body).text == "Hi");
      CHECK(sim.provider.only("flex").cancelled());
      // Both were asked the same but for the tier.
      std::string asked = sim.provider.only("flex").body;
      const size_t at = asked.find("\"flex\"");
      REQUIRE(at != std::string::npos);
      asked.replace(at, 6, "\"" + tier_of(pair, "default") + "\"");
      CHECK(difference(sim.provider.of(tier_of(pair, "default")).front()->body, asked) == "");
    }
  }
}

TEST_CASE("translation: an event is told as it comes") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    Sim sim(three_providers());
    VendorEvents events(pair.provider);
    Play play;
    play.sse().send(events.opening() + events.start());
    for (const char* const piece : {"one", "two", "three"}) {
      play.wait(kSecond).send(events.delta(piece));
    }
    play.wait(kSecond).send(events.finish()).finish();
    sim.provider.choose = [&](const Seen&) { return play; };
    const Reply& reply = ask(sim, pair, {.stream = true});
    check_stream(pair.dialect, reply.body);
    const uint64_t begin_ns = sim.provider.seen().front().whole_ns;
    size_t second = 1;
    for (const char* const piece : {"one", "two", "three"}) {
      const size_t at = reply.body.find(piece);
      REQUIRE(at != std::string::npos);
      const auto arrival = std::find_if(reply.arrivals.begin(), reply.arrivals.end(),
                                        [at](const Arrival& a) { return a.size > at; });
      REQUIRE(arrival != reply.arrivals.end());
      const uint64_t at_ns = arrival->at_ns;
      CHECK(at_ns - begin_ns >= second * kSecond);
      CHECK(at_ns - begin_ns <= second * kSecond + 3 * kMs);
      ++second;
    }
  }
}
