// The race of flex against the start deadline, on the wire, in virtual time: who is sent when, who
// answers, and what becomes of the other.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// kSlackNs is what connecting and a few trips over the simulated network take.
constexpr uint64_t kSlackNs = 3 * kMs;
// kCancelNs: how soon the provider must see that an attempt was given up, latency included.
constexpr uint64_t kCancelNs = 1 * kMs + 200'000;

bool about(uint64_t actual_ns, uint64_t expected_ns) {
  return actual_ns + kSlackNs >= expected_ns && actual_ns <= expected_ns + kSlackNs;
}

// play_of is a good answer that starts `after_ns` after its head.
Play play_of(Events& events, uint64_t after_ns) {
  Play play;
  play.sse().send(events.opening()).wait(after_ns).send(events.start());
  return play.send(events.completed()).finish();
}

Play queue_forever(Events& events) {
  Play play;
  play.sse().send(events.waiting());
  for (int i = 0; i < 200; ++i) play.wait(5 * kSecond).send(events.keepalive());
  return play;
}

}  // namespace

TEST_CASE("race: flex starts in time, for a caller that does not stream") {
  Sim sim;
  Events events("flex");
  sim.provider.flex_play = play_of(events, 2 * kSecond);
  const Reply& reply = sim.ask(race_body(30, false));
  CHECK(reply.status == 200);
  CHECK(reply.whole);
  CHECK(difference(reply.body, events.final_object()) == "");
  CHECK(reply.reason() == "flex_won");
  CHECK(reply.tier() == "flex");
  CHECK(reply.field("x-flexinference-served-provider") == "openai");
  CHECK(reply.field("content-type") == "application/json");
  CHECK(sim.provider.seen().size() == 1);
  CHECK(sim.provider.only("flex").streamed);
  CHECK(sim.provider.only("flex").close_code == 0);
  CHECK(sim.requests(metrics::Outcome::ok, metrics::Reason::flex_won) == 1);
  CHECK(json_text(sim.last_line(), "routing_reason") == "flex_won");
}

TEST_CASE("race: flex starts in time, for a caller that streams") {
  Sim sim;
  Events events("flex");
  Play& play = sim.provider.flex_play;
  play.head(200, {{"content-type", "text/event-stream; charset=utf-8"}, {"x-request-id", "up_1"}});
  play.send(": a comment\n\n" + events.opening()).wait(2 * kSecond).send(events.start());
  play.wait(kSecond).send(events.event("response.brand_new.event", R"(,"a":1)"));
  play.send(events.completed()).finish();
  const Reply& reply = sim.ask(race_body(30, true));
  CHECK(reply.status == 200);
  CHECK(reply.whole);
  CHECK(difference(reply.body, play.sent()) == "");
  CHECK(reply.field("content-type") == "text/event-stream; charset=utf-8");
  CHECK(reply.field("x-request-id") == "up_1");
  CHECK(reply.reason() == "flex_won");
  // Nothing is told before the start, and afterwards each event as it comes.
  const uint64_t sent_ns = sim.provider.only("flex").whole_ns;
  CHECK(about(reply.head_ns - sent_ns, 2 * kSecond));
  REQUIRE(reply.arrivals.size() >= 2);
  CHECK(about(reply.arrivals.back().at_ns - sent_ns, 3 * kSecond));
}

TEST_CASE("race: a queued flex attempt has not started, however much it says") {
  Sim sim;
  Events events("flex");
  Play& play = sim.provider.flex_play;
  play.sse().send(events.waiting());
  for (int i = 0; i < 4; ++i) play.wait(5 * kSecond).send(events.keepalive());
  play.send(events.in_progress()).wait(5 * kSecond).send(events.start());
  play.send(events.completed()).finish();
  const Reply& reply = sim.ask(race_body(30, true));
  CHECK(reply.reason() == "flex_won");
  CHECK(difference(reply.body, play.sent()) == "");
  CHECK(about(reply.head_ns - sim.provider.only("flex").whole_ns, 25 * kSecond));
}

TEST_CASE("race: the window closes, and the standard attempt goes out beside the flex attempt") {
  for (const bool stream : {false, true}) {
    CAPTURE(stream);
    Sim sim;
    Events flex("flex", "resp_flex");
    Events standard("default", "resp_standard");
    sim.provider.flex_play = queue_forever(flex);
    sim.provider.standard_play = play_of(standard, 2 * kSecond);
    const Reply& reply = sim.ask(race_body(10, stream));
    sim.run(kMs);  // the reset is under way as long as the answer
    CHECK(reply.status == 200);
    CHECK(reply.reason() == "flex_deadline");
    CHECK(reply.tier() == "default");
    CHECK(difference(reply.body,
                     (stream ? sim.provider.standard_play.sent() : standard.final_object())) == "");
    const Seen& loser = sim.provider.only("flex");
    const Seen& winner = sim.provider.only("default");
    // Two streams of one connection, both open; the loser is reset when the other starts.
    CHECK(winner.connection == loser.connection);
    CHECK(winner.stream != loser.stream);
    CHECK(winner.streamed);
    CHECK(about(winner.whole_ns - loser.whole_ns, 10 * kSecond));
    CHECK(loser.closed_ns > winner.whole_ns);
    CHECK(loser.cancelled());
    CHECK(loser.closed_ns - winner.whole_ns >= 2 * kSecond);
    CHECK(loser.closed_ns - winner.whole_ns < 2 * kSecond + kCancelNs);
    CHECK(winner.close_code == 0);
    CHECK(sim.requests(metrics::Outcome::ok, metrics::Reason::flex_deadline) == 1);
    CHECK(sim.attempts(metrics::AttemptResult::answered) == 1);
    CHECK(sim.attempts(metrics::AttemptResult::cancelled) == 1);
    CHECK(sim.attempts_total() == 2);
  }
}

TEST_CASE("race: flex starts first after the window has closed, and wins") {
  Sim sim;
  Events flex("flex");
  Events standard("default");
  sim.provider.flex_play = play_of(flex, 12 * kSecond);
  sim.provider.standard_play = play_of(standard, 5 * kSecond);
  const Reply& reply = sim.ask(race_body(10, true));
  sim.run(kMs);
  CHECK(reply.reason() == "flex_won");
  CHECK(reply.tier() == "flex");
  CHECK(difference(reply.body, sim.provider.flex_play.sent()) == "");
  const Seen& loser = sim.provider.only("default");
  CHECK(loser.cancelled());
  CHECK(about(loser.closed_ns - sim.provider.only("flex").whole_ns, 12 * kSecond));
}

TEST_CASE("race: sequential, flex is given up before standard goes out") {
  SimOptions options;
  options.settings.race = config::RaceMode::sequential;
  Sim sim(options);
  Events flex("flex");
  Events standard("default");
  sim.provider.flex_play = play_of(flex, 12 * kSecond);
  sim.provider.standard_play = play_of(standard, 5 * kSecond);
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.reason() == "flex_deadline");
  CHECK(difference(reply.body, standard.final_object()) == "");
  const Seen& first = sim.provider.only("flex");
  CHECK(first.cancelled());
  CHECK(first.closed_ns <= sim.provider.only("default").whole_ns);
}

TEST_CASE("race: a conversation is never in two attempts, and a lock is waited for") {
  Sim sim;
  Events flex("flex");
  Events standard("default");
  const Play locked = Play().json(
      409, R"({"error":{"message":"locked","type":"invalid_request_error","param":null,)"
           R"("code":"conversation_locked"}})");
  int locks = 2;
  sim.provider.flex_play = queue_forever(flex);
  sim.provider.choose = [&](const Seen& seen) {
    if (seen.tier == "flex") return sim.provider.flex_play;
    return locks-- > 0 ? locked : play_of(standard, kSecond);
  };
  const std::string request =
      body(R"("conversation":"conv_1","start_within":"00h-00m-05s","stream":true)");
  {
    const Reply& reply = sim.ask(request);
    CHECK(reply.status == 200);
    CHECK(reply.reason() == "flex_deadline");
    const auto tries = sim.provider.of("default");
    REQUIRE(tries.size() == 3);
    CHECK(sim.provider.only("flex").closed_ns <= tries[0]->whole_ns);
    CHECK(tries[2]->whole_ns - tries[0]->whole_ns < 3 * kSecond);
    CHECK(tries[1]->whole_ns > tries[0]->closed_ns);
  }
  // A lock that stays is told as it is after three seconds.
  locks = 1000;
  const size_t before = sim.provider.of("default").size();
  const Reply& refused = sim.ask(request);
  CHECK(refused.status == 409);
  CHECK(difference(refused.body, locked.sent()) == "");
  const auto tries = sim.provider.of("default");
  const uint64_t span = tries.back()->whole_ns - tries[before]->whole_ns;
  CHECK(span <= 3 * kSecond + kSlackNs);
  CHECK(span >= 2 * kSecond);
}

TEST_CASE("race: a lead opens the standard attempt before the window closes") {
  struct Case {
    uint64_t lead_ns;
    uint64_t sent_ns;
  };
  // At most half the window.
  for (const Case& c : {Case{3 * kSecond, 7 * kSecond}, Case{8 * kSecond, 5 * kSecond}}) {
    SimOptions options;
    options.settings.standard_lead_ns = c.lead_ns;
    Sim sim(options);
    Events flex("flex");
    Events standard("default");
    sim.provider.flex_play = queue_forever(flex);
    sim.provider.standard_play = play_of(standard, 2 * kSecond);
    const Reply& reply = sim.ask(race_body(10, false));
    CHECK(reply.reason() == "flex_deadline");
    CHECK(about(sim.provider.only("default").whole_ns - sim.provider.only("flex").whole_ns,
                c.sent_ns));
  }
}

TEST_CASE("race: an automatic lead is what standard attempts of the model take to start") {
  SimOptions options;
  options.settings.standard_lead_auto = true;
  Sim sim(options);
  Events flex("flex");
  Events standard("default");
  sim.provider.flex_play.json(429, R"({"error":{"code":"flex_unavailable"}})");
  sim.provider.standard_play = play_of(standard, 2 * kSecond);
  for (int i = 0; i < 20; ++i) sim.ask(race_body(30, false));
  sim.provider.flex_play = queue_forever(flex);
  const Reply& reply = sim.ask(race_body(30, false));
  CHECK(reply.reason() == "flex_deadline");
  const uint64_t sent_ns =
      sim.provider.of("default").back()->whole_ns - sim.provider.of("flex").back()->whole_ns;
  CHECK(about(sent_ns, 28 * kSecond));
}

TEST_CASE("race: over the limit of races at one time, standard goes out at once") {
  SimOptions options;
  options.account.race_slots = 1;
  Sim sim(options);
  Events flex("flex");
  Events standard("default");
  sim.provider.flex_play = play_of(flex, 4 * kSecond);
  sim.provider.standard_play = play_of(standard, kSecond);
  Client& first = sim.send(race_body(10, false));
  sim.run(kSecond);
  CHECK(sim.race_slots_in_use() == 1);
  const Reply& second = sim.ask(race_body(10, false));
  CHECK(second.status == 200);
  CHECK(second.reason() == "flex_slots_full");
  CHECK(second.tier() == "default");
  CHECK(sim.wait(first).reason() == "flex_won");
  CHECK(sim.provider.of("flex").size() == 1);
  CHECK(sim.race_slots_in_use() == 0);
  CHECK(sim.metrics.value(metrics::Counter::limited, metrics::at(metrics::Limit::race_slots)) == 1);
}

TEST_CASE("race: the client's own patience shortens the window") {
  struct Case {
    std::string patience;
    uint64_t sent_ns;
  };
  for (const Case& c : {Case{"50", 20 * kSecond}, Case{"20", 5 * kSecond},
                        Case{"600", 60 * kSecond}, Case{"nonsense", 60 * kSecond}}) {
    CAPTURE(c.patience);
    Sim sim;
    Events flex("flex");
    Events standard("default");
    sim.provider.flex_play = queue_forever(flex);
    sim.provider.standard_play = play_of(standard, 0);
    sim.ask(race_body(60, false), "X-Stainless-Timeout: " + c.patience + "\r\n");
    CHECK(about(sim.provider.only("default").whole_ns - sim.provider.only("flex").whole_ns,
                c.sent_ns));
  }
}

TEST_CASE("race: the window opens when the last byte of the request is in") {
  Sim sim;
  Events flex("flex");
  Events standard("default");
  sim.provider.flex_play = queue_forever(flex);
  sim.provider.standard_play = play_of(standard, 0);
  const std::string request = sim.post(race_body(10, false));
  Client& client = sim.connect();
  client.send(request.substr(0, request.size() - 1));
  sim.run(20 * kSecond);
  CHECK(sim.provider.seen().empty());
  client.send(request.substr(request.size() - 1));
  const uint64_t whole_ns = sim.world.now_ns();
  CHECK(sim.wait(client).status == 200);
  CHECK(about(sim.provider.only("default").whole_ns - whole_ns, 10 * kSecond));
}
