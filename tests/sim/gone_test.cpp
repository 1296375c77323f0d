// Callers that go away, and the clocks: first byte and idle.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// kSeenNs: how soon the provider has to see a cancel: the caller's FIN or RST and the reset of the
// stream each take a trip of 0.1 ms.
constexpr uint64_t kSeenNs = kMs + 200'000;

struct Stage {
  std::string name;
  std::string request;
  uint64_t leave_ns;   // after the request
  size_t attempts;     // that the provider has seen by then
  size_t open;         // of these
  std::string reason;  // in the log
};

std::vector<Stage> stages() {
  const std::string direct = R"("start_within":"default","stream":)";
  return {
      {"flex is queued", race_body(30, true), 5 * kSecond, 1, 1, ""},
      {"flex is queued, no stream", race_body(30, false), 5 * kSecond, 1, 1, ""},
      {"both attempts are open", race_body(10, true), 12 * kSecond, 2, 2, ""},
      {"the winner streams", race_body(10, true), 17 * kSecond, 2, 1, "flex_deadline"},
      {"the winner is folded", race_body(10, false), 17 * kSecond, 2, 1, "flex_deadline"},
      {"early headers are out", race_body(10, false), 60 * kSecond, 2, 1, "flex_deadline"},
      {"direct, before the head", body(direct + "true"), 100 * kMs, 1, 1, "tier_direct"},
      {"direct, streaming", body(direct + "true"), 7 * kSecond, 1, 1, "tier_direct"},
      {"direct, no stream", body(direct + "false"), 7 * kSecond, 1, 1, "tier_direct"},
  };
}

}  // namespace

TEST_CASE("gone: a caller that leaves cancels every attempt at once") {
  for (const Stage& stage : stages()) {
    for (const bool reset : {false, true}) {
      CAPTURE(stage.name);
      CAPTURE(reset);
      Sim sim;
      Events flex("flex");
      Events standard("default");
      sim.provider.flex_play.sse().send(flex.waiting());
      sim.provider.flex_play.wait(1000 * kSecond);
      sim.provider.standard_play.wait(kSecond).sse().send(standard.opening()).wait(4 * kSecond);
      sim.provider.standard_play.send(standard.start()).wait(1000 * kSecond);
      Client& client = sim.send(stage.request);
      sim.run(stage.leave_ns);
      CHECK(sim.provider.open_streams() == stage.open);
      const uint64_t left_ns = sim.world.now_ns();
      reset ? client.abort() : client.close();
      sim.run(20 * kMs);
      CHECK(sim.provider.seen().size() == stage.attempts);
      for (const Seen& seen : sim.provider.seen()) {
        CHECK(seen.cancelled());
        CHECK(seen.closed_ns <= left_ns + kSeenNs);
      }
      REQUIRE(sim.lines().size() == 1);
      CHECK(sim.last_line().find("\"status\":499") != std::string::npos);
      CHECK(json_text(sim.last_line(), "code") == "client_closed_request");
      CHECK(json_text(sim.last_line(), "outcome") == "client_closed");
      CHECK(json_text(sim.last_line(), "routing_reason") == stage.reason);
      CHECK(sim.race_slots_in_use() == 0);
      CHECK(sim.requests_total() == 1);
    }
  }
}

TEST_CASE("gone: before the request is whole, nothing was sent to the provider") {
  Sim sim;
  const std::string request = sim.post(race_body(10, false));
  for (const size_t cut : {size_t{10}, request.size() - 40, request.size() - 1}) {
    Client& client = sim.connect();
    client.send(request.substr(0, cut));
    sim.run(kMs);
    client.abort();
    sim.run(kMs);
  }
  CHECK(sim.provider.seen().empty());
  // The first had not sent a head: there was no request.
  CHECK(sim.lines().size() == 2);
  CHECK(sim.requests(metrics::Outcome::client_closed, metrics::Reason::none) == 2);
}

TEST_CASE("gone: the first byte takes too long") {
  SimOptions options;
  options.settings.first_byte_timeout_ns = 20 * kSecond;
  Sim sim(options);
  sim.provider.standard_play.wait(500 * kSecond);
  uint64_t begun_ns = sim.world.now_ns();
  const Reply& direct = sim.ask(body(R"("start_within":"default")"));
  sim.run(kMs);
  CHECK(direct.status == 504);
  CHECK(direct.code() == "upstream_timeout");
  CHECK((direct.head_ns - begun_ns) / kSecond == 20);
  CHECK(sim.provider.only("default").cancelled());
  // In a race the clock begins when the window closes.
  Events flex("flex");
  sim.provider.flex_play.sse().send(flex.created()).wait(500 * kSecond);
  begun_ns = sim.world.now_ns();
  const Reply& race = sim.ask(race_body(30, true));
  sim.run(kMs);
  CHECK(race.status == 504);
  CHECK(race.code() == "upstream_timeout");
  CHECK((race.head_ns - begun_ns) / kSecond == 50);
  CHECK(sim.provider.of("flex").back()->cancelled());
  CHECK(sim.provider.of("default").back()->cancelled());
}

TEST_CASE("gone: the window of flex is longer than the first-byte clock") {
  SimOptions options;
  options.settings.first_byte_timeout_ns = 20 * kSecond;
  Sim sim(options);
  Events flex("flex");
  Play& play = sim.provider.flex_play;
  play.sse()
      .send(flex.opening())
      .wait(50 * kSecond)
      .send(flex.start())
      .send(flex.completed())
      .finish();
  CHECK(sim.ask(race_body(60, false)).reason() == "flex_won");
}

TEST_CASE("gone: an answer that falls silent") {
  SimOptions options;
  options.settings.idle_timeout_ns = 40 * kSecond;
  for (const bool race : {false, true}) {
    for (const bool stream : {false, true}) {
      CAPTURE(race);
      CAPTURE(stream);
      Sim sim(options);
      Events events(race ? "flex" : "default");
      Play play;
      play.sse().send(events.begun());
      // Keepalives and comments are no progress.
      for (int i = 0; i < 20; ++i) play.wait(9 * kSecond).send(events.keepalive() + ": ping\n\n");
      (race ? sim.provider.flex_play : sim.provider.standard_play) = play;
      const uint64_t begun_ns = sim.world.now_ns();
      Client& client = sim.send(race ? race_body(60, stream)
                                     : body(stream ? R"("start_within":"default","stream":true)"
                                                   : R"("start_within":"default")"));
      const Reply& reply = sim.wait(client);
      sim.run(kMs);
      CHECK(sim.provider.seen().front().cancelled());
      if (!race && !stream) continue;  // a plain body: every byte of it counts
      const uint64_t end_ns = reply.end_ns;
      CHECK((end_ns - begun_ns) / kSecond == 40);
      CHECK(reply.whole);
      if (stream) {
        CHECK(reply.status == 200);
        CHECK(reply.body.find("event: response.failed\n") != std::string::npos);
        CHECK(reply.body.find("upstream_timeout") != std::string::npos);
      } else {
        CHECK(reply.status == 504);
        CHECK(reply.code() == "upstream_timeout");
      }
    }
  }
}

TEST_CASE("gone: a dead connection to the provider is found by ping") {
  Sim sim;
  Events flex("flex");
  Events standard("default");
  sim.provider.flex_play.sse().send(flex.begun()).wait(1000 * kSecond);
  Client& client = sim.send(race_body(10, true));
  sim.run(kSecond);
  sim.world.partition("10.0.0.3");
  const uint64_t lost_ns = sim.world.now_ns();
  const Reply& reply = sim.wait(client);
  CHECK(reply.whole);
  CHECK(reply.body.find("upstream_stream_failed") != std::string::npos);
  CHECK(reply.end_ns - lost_ns < 40 * kSecond);
  sim.world.heal("10.0.0.3");
  sim.run(kSecond);
}
