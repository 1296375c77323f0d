// Requests without a race: the tier upstream, the caller's own stream, what goes up and comes down.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

TEST_CASE("direct: each word has its tier, and the answer comes as it is") {
  struct Case {
    std::string word;
    std::string tier;
  };
  for (const Case& c :
       {Case{"default", "default"}, Case{"priority", "priority"}, Case{"auto", "auto"}}) {
    CAPTURE(c.word);
    Sim sim;
    const std::string answer = "{ \"id\" : \"resp_1\",\n \"service_tier\": \"odd\" }";
    sim.provider.standard_play.wait(kSecond).json(200, answer);
    const Reply& reply = sim.ask(body(R"("start_within":")" + c.word + "\""));
    CHECK(reply.status == 200);
    CHECK(reply.body == answer);
    CHECK(reply.field("content-length") == std::to_string(answer.size()));
    CHECK(reply.reason() == "tier_direct");
    CHECK(reply.tier() == c.tier);
    const Seen& seen = sim.provider.only(c.tier);
    CHECK(!seen.streamed);
    CHECK(seen.path == "/v1/responses");
    CHECK(seen.body.find("start_within") == std::string::npos);
    CHECK(sim.race_slots_in_use() == 0);
    CHECK(sim.requests(metrics::Outcome::ok, metrics::Reason::tier_direct) == 1);
  }
}

TEST_CASE("direct: the path of the provider's URL stands before the API's own") {
  SimOptions options;
  options.settings.openai.path_prefix = "/behind/a/proxy";
  Sim sim(options);
  sim.provider.standard_play.json(200, "{}");
  CHECK(sim.ask(body(R"("start_within":"default")")).status == 200);
  CHECK(sim.provider.only("default").path == "/behind/a/proxy/v1/responses");
}

TEST_CASE("direct: the caller's own stream is kept, and its events are relayed at once") {
  Sim sim;
  Events events("default");
  Play& play = sim.provider.standard_play;
  play.sse().send(events.opening()).wait(kSecond).send(events.start()).wait(kSecond);
  play.send(events.completed()).finish();
  const uint64_t begun_ns = sim.world.now_ns();
  const Reply& reply = sim.ask(body(R"("stream":true,"start_within":"default")"));
  CHECK(reply.status == 200);
  CHECK(difference(reply.body, play.sent()) == "");
  CHECK(reply.head_ns - begun_ns < 10 * kMs);
  CHECK(reply.arrivals.front().at_ns - begun_ns < 10 * kMs);
  CHECK(reply.field("transfer-encoding") == "chunked");
  CHECK(reply.field("cache-control") == "no-cache, no-transform");
  CHECK(sim.provider.only("default").streamed);
}

TEST_CASE("direct: a stream that breaks ends in a failure event") {
  Sim sim;
  Events events("default", "resp_direct");
  Play& play = sim.provider.standard_play;
  play.sse().send(events.begun()).wait(kSecond).reset(kInternalCode);
  const Reply& reply = sim.ask(body(R"("stream":true,"start_within":"default")"));
  CHECK(reply.whole);
  CHECK(reply.body.starts_with(play.sent() + "event: response.failed\n"));
  CHECK(reply.body.find("resp_direct") != std::string::npos);
}

TEST_CASE("direct: a JSON answer that breaks") {
  Sim sim;
  // Nothing of the body was there: the error can still be told.
  Play& play = sim.provider.standard_play;
  play.head(200, {{"content-type", "application/json"}}).wait(kSecond).reset(kInternalCode);
  const Reply& told = sim.ask(body(R"("start_within":"default")"));
  CHECK(told.status == 502);
  CHECK(told.code() == "upstream_stream_failed");
  // Half of it is out: only the connection can tell.
  play = Play();
  play.head(200, {{"content-type", "application/json"}}).send("{\"half\":").wait(kSecond);
  play.reset(kInternalCode);
  Client& client = sim.send(body(R"("start_within":"default")"));
  const Reply& cut = sim.wait(client);
  CHECK(cut.status == 200);
  CHECK(!cut.whole);
  CHECK(client.is_closed());
}

TEST_CASE("direct: what goes up is the provider's key and an allow-list") {
  Sim sim;
  sim.provider.standard_play.json(200, "{}");
  const std::string request = body(R"("start_within":"default","metadata":{"a":"\u00e9"})");
  sim.ask(request,
          "OpenAI-Organization: org-1\r\nOpenAI-Project: p1\r\nOpenAI-Beta: b=1\r\n"
          "Idempotency-Key: i1\r\ntraceparent: 00-abc\r\nCookie: c=1\r\n"
          "X-Forwarded-For: 1.2.3.4\r\nX-Custom: 1\r\nAccept-Encoding: gzip\r\n"
          "x-api-key: secret\r\nanthropic-version: 1\r\n");
  const Seen& seen = sim.provider.only("default");
  CHECK(seen.field("authorization") == "Bearer sk-sim");
  CHECK(seen.field("openai-organization") == "org-1");
  CHECK(seen.field("openai-project") == "p1");
  CHECK(seen.field("openai-beta") == "b=1");
  CHECK(seen.field("idempotency-key") == "i1");
  CHECK(seen.field("traceparent") == "00-abc");
  CHECK(seen.field("accept-encoding") == "identity");
  CHECK(seen.field("content-type") == "application/json");
  CHECK(seen.field("user-agent").starts_with("flexd/"));
  for (const char* const dropped :
       {"cookie", "x-forwarded-for", "x-custom", "x-api-key", "anthropic-version", "host"}) {
    CHECK(seen.field(dropped).empty());
  }
  // Only the one member was replaced.
  std::string expected = request;
  const std::string own = R"("start_within":"default")";
  expected.replace(expected.find(own), own.size(), R"("service_tier":"default")");
  CHECK(seen.body == expected);
}

TEST_CASE("direct: an idempotency key does not travel on the two attempts of a race") {
  Sim sim;
  Events events("flex");
  sim.provider.flex_play.sse().send(events.whole());
  sim.provider.flex_play.finish();
  sim.ask(race_body(10, true), "Idempotency-Key: i1\r\n");
  CHECK(sim.provider.only("flex").field("idempotency-key").empty());
}

TEST_CASE("direct: one connection carries many requests, and a race's both attempts") {
  Sim sim;
  sim.provider.standard_play.wait(kSecond).json(200, R"({"ok":true})");
  std::vector<Client*> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(&sim.send(body(R"("start_within":"default")")));
  for (Client* const client : clients) CHECK(sim.wait(*client).status == 200);
  CHECK(sim.provider.open_connections() == 1);
  // And one client connection carries many requests, one after the other.
  Client& client = sim.connect();
  for (size_t i = 1; i <= 5; ++i) {
    client.send(sim.post(body(R"("start_within":"default")")));
    CHECK(sim.wait(client, i).status == 200);
  }
  CHECK(sim.requests_total() == 45);
}
