// Flow control and memory: what is held before the commit, slow readers, bounds.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "flexd/base/buffer.hpp"
#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

TEST_CASE("memory: long events before the start do not starve the race of credit") {
  // Three times 1 MB of echoed instructions: far beyond a stream's window of 256 KB.
  const std::string echo(1'000'000, 'e');
  for (const bool stream : {false, true}) {
    CAPTURE(stream);
    Sim sim;
    Events events("flex");
    Play play;
    play.sse();
    for (const char* const name : {"response.created", "response.queued", "response.in_progress"}) {
      play.send(
          events.event(name, R"(,"response":{"id":"resp_01","instructions":")" + echo + "\"}"));
    }
    play.wait(kSecond).send(events.start()).send(events.completed()).finish();
    sim.provider.flex_play = play;
    const Reply& reply = sim.ask(race_body(10, stream));
    CHECK(reply.status == 200);
    CHECK(reply.whole);
    CHECK(reply.reason() == "flex_won");
    CHECK(difference(reply.body, (stream ? play.sent() : events.final_object())) == "");
    CHECK(sim.provider.of("default").empty());
  }
}

TEST_CASE("memory: more than 4 MB before the start counts as broken") {
  const std::string echo(1'000'000, 'e');
  Sim sim;
  Events events("flex");
  Events standard("default");
  Play play;
  play.sse().send(events.created());
  for (int i = 0; i < 12; ++i) {
    play.send(events.event("response.queued", R"(,"instructions":")" + echo + "\""));
  }
  play.send(events.in_progress()).send(events.start()).finish();
  sim.provider.flex_play = play;
  sim.provider.standard_play.sse().send(standard.begun());
  sim.provider.standard_play.send(standard.completed()).finish();
  const Reply& reply = sim.ask(race_body(10, true));
  sim.run(kMs);
  CHECK(reply.reason() == "flex_not_started");
  CHECK(difference(reply.body, sim.provider.standard_play.sent()) == "");
  CHECK(sim.provider.only("flex").cancelled());
}

TEST_CASE("memory: what a losing attempt held is given back when it has lost") {
  const std::string echo(1'000'000, 'e');
  for (const bool refused : {false, true}) {
    CAPTURE(refused);
    Sim sim;
    Events events("flex");
    Events standard("default");
    Play play;
    play.sse().send(events.created());
    play.send(events.event("response.queued", R"(,"instructions":")" + echo + "\""));
    if (refused) {
      play.wait(kSecond).send("event: error\ndata: {\"type\":\"error\",\"code\":\"x\"}\n\n");
    }
    play.wait(100 * kSecond);
    sim.provider.flex_play = play;
    sim.provider.standard_play.sse().send(standard.begun()).wait(60 * kSecond);
    sim.provider.standard_play.send(standard.completed()).finish();
    Client& client = sim.send(race_body(10, true));
    sim.run(20 * kSecond);
    REQUIRE(!client.replies().empty());
    CHECK(sim.provider.only("flex").cancelled());
    CHECK(sim.gateway().blocks().in_use_bytes() < size_t{1} << 19U);
  }
}

TEST_CASE("memory: an event that does not end counts among what is held") {
  for (const bool stream : {false, true}) {
    Sim sim;
    Events events("flex");
    Events standard("default");
    const std::string huge =
        events.event("response.created", ",\"x\":\"" + std::string(9'000'000, 'h') + "\"");
    sim.provider.flex_play.sse().send(huge).send(events.begun()).send(events.completed()).finish();
    sim.provider.standard_play.sse().send(standard.whole()).finish();
    const Reply& reply = sim.ask(race_body(10, stream));
    sim.run(kMs);
    CHECK(reply.reason() == "flex_not_started");
    CHECK(reply.status == 200);
    CHECK(sim.provider.only("flex").cancelled());
  }
}

TEST_CASE("memory: a slow reader stops the provider and costs a bounded amount") {
  for (const bool race : {false, true}) {
    CAPTURE(race);
    SimOptions options;
    options.settings.sse_keepalive_ns = 0;
    Sim sim(options);
    Events events(race ? "flex" : "default");
    Play play;
    play.sse().send(events.begun());
    const std::string text(50'000, 'd');
    for (int i = 0; i < 400; ++i) play.send(events.delta(text)).wait(kMs);
    play.send(events.completed()).finish();
    (race ? sim.provider.flex_play : sim.provider.standard_play) = play;
    Client& client =
        sim.send(race ? race_body(10, true) : body(R"("start_within":"default","stream":true)"));
    sim.run(50 * kMs);
    client.pause();
    size_t most_bytes = 0;
    for (int i = 0; i < 200; ++i) {
      sim.run(100 * kMs);
      most_bytes = std::max(most_bytes, sim.gateway().blocks().in_use_bytes());
    }
    // 20 MB were there to be had; the gateway took what its windows and marks allow.
    CHECK(most_bytes < size_t{2} << 20U);
    CHECK(sim.provider.queued_bytes(sim.provider.seen().front()) > size_t{10} << 20U);
    client.resume();
    const Reply& reply = sim.wait(client);
    CHECK(reply.whole);
    CHECK(difference(reply.body, play.sent()) == "");
  }
}

TEST_CASE("memory: a long event passes in parts, without being held") {
  Sim sim;
  Events events("flex");
  Play play;
  play.sse().send(events.begun()).wait(kMs);
  play.send(events.delta(std::string(6'000'000, 'x'))).send(events.completed()).finish();
  sim.provider.flex_play = play;
  Client& client = sim.send(race_body(10, true));
  size_t most_bytes = 0;
  sim.run_until_true([&] {
    most_bytes = std::max(most_bytes, sim.gateway().blocks().in_use_bytes());
    return client.whole_replies() == 1;
  });
  CHECK(client.reply().body == play.sent());
  CHECK(most_bytes < size_t{3} << 20U);
}

TEST_CASE("memory: an answer too large to fold is given up") {
  Sim sim;
  Events events("flex");
  Play play;
  play.sse().send(events.begun());
  std::string object = R"({"id":"resp_01","output":")";
  object += std::string(34U << 20U, 'o') + "\"}";
  play.send(events.event("response.completed", ",\"response\":" + object)).finish();
  sim.provider.flex_play = play;
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.status == 502);
  CHECK(reply.code() == "upstream_stream_failed");
  CHECK(reply.body.find("given up") != std::string::npos);
}

TEST_CASE("memory: the end of a stream that finds no memory was not told") {
  for (const bool has_room : {true, false}) {
    CAPTURE(has_room);
    SimOptions options;
    options.settings.memory_budget_bytes = 4U << 20U;
    Sim sim(options);
    Events events("default");
    sim.provider.standard_play.sse().send(events.begun()).wait(2 * kSecond);
    sim.provider.standard_play.send(events.completed()).wait(20 * kSecond);
    Client& client = sim.send(body(R"("start_within":"default","stream":true)"));
    sim.run(kSecond);
    REQUIRE(client.replies().size() == 1);
    {
      std::vector<Buffer> hoard;
      for (size_t bytes = 1U << 20U; bytes > 0 && !has_room;) {
        hoard.emplace_back(sim.gateway().blocks());
        if (!hoard.back().append(std::string(bytes, 'h'))) bytes /= 2;
      }
      sim.run(2 * kSecond);
    }
    // With the last event, its caller has all of the answer, though the stream is not over.
    if (has_room) client.close();
    sim.run(kSecond);
    const Reply& reply = client.replies().front();
    CHECK((reply.body.find("response.completed") != std::string::npos) == has_room);
    CHECK(!reply.whole);
    CHECK(sim.provider.only("default").cancelled());
    REQUIRE(sim.lines().size() == 1);
    CHECK(json_text(sim.last_line(), "outcome") == (has_room ? "ok" : "client_closed"));
  }
}

TEST_CASE("memory: an answer whose last bytes find no memory was not given, though it ended well") {
  for (const bool stream : {true, false}) {
    CAPTURE(stream);
    SimOptions options;
    options.settings.memory_budget_bytes = 4U << 20U;
    Sim sim(options);
    Events events("default");
    Play& play = sim.provider.standard_play;
    if (stream) {
      play.sse().send(events.begun()).wait(2 * kSecond).send(events.completed()).finish();
    } else {
      const std::string object = "{\"filler\":\"" + std::string(6'000, 'f') + "\"}";
      play.head(200, {{"content-type", "application/json"}}).send(object.substr(0, 3'000));
      play.wait(2 * kSecond).send(object.substr(3'000)).finish();
    }
    Client& client = sim.send(
        body(stream ? R"("start_within":"default","stream":true)" : R"("start_within":"default")"));
    sim.run(kSecond);
    REQUIRE(client.replies().size() == 1);
    std::vector<Buffer> hoard;
    for (size_t bytes = 1U << 20U; bytes > 0;) {
      hoard.emplace_back(sim.gateway().blocks());
      if (!hoard.back().append(std::string(bytes, 'h'))) bytes /= 2;
    }
    sim.run(2 * kSecond);
    hoard.clear();
    sim.run(kSecond);
    CHECK(!client.replies().front().whole);
    REQUIRE(sim.lines().size() == 1);
    CHECK(json_text(sim.last_line(), "outcome") == "client_closed");
  }
}

TEST_CASE("memory: without room new requests are put off, before their body is read") {
  SimOptions options;
  options.settings.memory_budget_bytes = 8U << 20U;
  Sim sim(options);
  std::vector<Client*> holders;
  const std::string big(900'000, 'b');
  for (int i = 0; i < 8; ++i) {
    Client& client = sim.connect();
    client.send(sim.head_of("Content-Length: 950000\r\n") + "\r\n" + big);
    holders.push_back(&client);
  }
  sim.run(10 * kSecond);
  Client& late = sim.connect();
  late.send(sim.head_of("Content-Length: 10\r\n") + "\r\n");
  const Reply& reply = sim.wait(late);
  CHECK(reply.status == 503);
  CHECK(reply.code() == "service_unavailable");
  CHECK(reply.has("retry-after"));
  for (Client* const client : holders) client->abort();
  sim.run(kSecond);
  sim.provider.standard_play.json(200, "{}");
  CHECK(sim.ask(body(R"("start_within":"default")")).status == 200);
}
