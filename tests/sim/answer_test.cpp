// What is written once it is decided who answers: breaks after the commit, failures of the
// provider's own, early headers, comments in silence.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// started is a flex attempt that has started and gone as far as `events` says.
Play started(Events& events) {
  Play play;
  return play.sse().send(events.begun()).wait(kSecond);
}

struct Break {
  std::string name;
  void (*end)(Play&);
};

const std::vector<Break> kBreaks = {
    {"reset", [](Play& p) { p.reset(kInternalCode); }},
    {"end without terminal event", [](Play& p) { p.finish(); }},
    {"RST", [](Play& p) { p.abort(); }},
    {"FIN", [](Play& p) { p.close(); }},
    {"GOAWAY, then FIN", [](Play& p) { p.goaway().wait(kMs).close(); }},
};

}  // namespace

TEST_CASE("answer: a break after the start, headers still held, is 502") {
  for (const Break& b : kBreaks) {
    CAPTURE(b.name);
    Sim sim;
    Events events("flex");
    Play play = started(events);
    b.end(play);
    sim.provider.flex_play = play;
    const Reply& reply = sim.ask(race_body(30, false));
    CHECK(reply.status == 502);
    CHECK(reply.whole);
    CHECK(reply.code() == "upstream_stream_failed");
    CHECK(reply.reason() == "flex_won");
    CHECK(reply.tier() == "flex");
    CHECK(sim.provider.of("default").empty());
  }
}

TEST_CASE("answer: a break in a stream is told by the dialect's own failure event") {
  for (const Break& b : kBreaks) {
    CAPTURE(b.name);
    Sim sim;
    Events events("flex", "resp_mine");
    Play play = started(events);
    b.end(play);
    sim.provider.flex_play = play;
    const Reply& reply = sim.ask(race_body(30, true));
    CHECK(reply.status == 200);
    CHECK(reply.whole);
    REQUIRE(reply.body.starts_with(play.sent()));
    const std::string last = reply.body.substr(play.sent().size());
    CHECK(last.starts_with("event: response.failed\ndata: {"));
    CHECK(last.ends_with("}\n\n"));
    CHECK(last.find("\n\n") == last.size() - 2);
    CHECK(json_text(last, "id") == "resp_mine");
    CHECK(json_text(last, "code") == "upstream_stream_failed");
    CHECK(last.find("\"sequence_number\":" + std::to_string(events.sequence())) !=
          std::string::npos);
    CHECK(sim.requests(metrics::Outcome::stream_failed, metrics::Reason::flex_won) == 1);
    CHECK(json_text(sim.last_line(), "code") == "upstream_stream_failed");
  }
}

TEST_CASE("answer: an incomplete last event of a broken stream is not passed on") {
  Sim sim;
  Events events("flex");
  Play play = started(events);
  const std::string good = play.sent();
  play.send(events.delta("never ended").substr(0, 40)).wait(kMs).reset(kInternalCode);
  sim.provider.flex_play = play;
  const Reply& reply = sim.ask(race_body(30, true));
  CHECK(reply.whole);
  CHECK(reply.body.starts_with(good + "event: response.failed\n"));
}

TEST_CASE("answer: a break inside a long event that is half way out cuts the connection") {
  Sim sim;
  Events events("flex");
  Play play = started(events);
  const std::string good = play.sent();
  play.send(events.delta(std::string(150'000, 'x')).substr(0, 120'000)).wait(kSecond);
  play.reset(kInternalCode);
  sim.provider.flex_play = play;
  Client& client = sim.send(race_body(30, true));
  const Reply& reply = sim.wait(client);
  CHECK(!reply.whole);
  CHECK(client.is_closed());
  CHECK(reply.body.size() > good.size());
  CHECK(play.sent().starts_with(reply.body));
  CHECK(sim.requests(metrics::Outcome::stream_failed, metrics::Reason::flex_won) == 1);
}

TEST_CASE("answer: a failure event of the provider after the start") {
  struct Case {
    std::string error;
    unsigned status;
  };
  for (const Case& c :
       {Case{R"({"code":"rate_limit_exceeded","message":"slow"})", 429},
        Case{R"({"code":"invalid_prompt","message":"bad", "type":"invalid_request_error"})", 400},
        Case{R"({"code": "server_error" ,"message":"oops \u00e9"})", 500}}) {
    CAPTURE(c.error);
    for (const bool stream : {false, true}) {
      Sim sim;
      Events events("flex");
      Play play = started(events);
      play.send(events.failed(c.error)).finish();
      sim.provider.flex_play = play;
      const Reply& reply = sim.ask(race_body(30, stream));
      CHECK(reply.whole);
      CHECK(reply.reason() == "flex_won");
      if (stream) {
        CHECK(reply.status == 200);
        CHECK(difference(reply.body, play.sent()) == "");
      } else {
        CHECK(reply.status == c.status);
        CHECK(reply.body == "{\"error\":" + c.error + "}");
        CHECK(reply.field("content-type") == "application/json");
      }
      CHECK(sim.requests(metrics::Outcome::provider_error, metrics::Reason::flex_won) == 1);
      CHECK(sim.provider.of("default").empty());
    }
  }
}

TEST_CASE("answer: a JSON body though a stream was asked for proves its own start") {
  Sim sim;
  sim.provider.flex_play.json(200, R"({"id":"resp_1","object":"response"})");
  const Reply& reply = sim.ask(race_body(30, false));
  CHECK(reply.status == 200);
  CHECK(reply.reason() == "flex_won");
  CHECK(difference(reply.body, sim.provider.flex_play.sent()) == "");
}

TEST_CASE("answer: response.incomplete is a good end") {
  Sim sim;
  Events events("flex");
  Play play = started(events);
  const std::string object = events.response("incomplete", R"(,"incomplete_details":{"a": 1})");
  play.send(events.event("response.incomplete", ",\"response\":" + object)).finish();
  sim.provider.flex_play = play;
  const Reply& reply = sim.ask(race_body(30, false));
  CHECK(reply.status == 200);
  CHECK(reply.body == object);
}

TEST_CASE("answer: the head of a slow answer goes out early, and spaces keep it alive") {
  Sim sim;
  Events events("flex");
  Play play;
  play.sse().send(events.begun()).wait(100 * kSecond);
  play.send(events.completed()).finish();
  sim.provider.flex_play = play;
  const uint64_t begun_ns = sim.world.now_ns();
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.status == 200);
  CHECK(reply.whole);
  CHECK(reply.reason() == "flex_won");
  CHECK((reply.head_ns - begun_ns) / kSecond == 35);
  const size_t spaces = reply.body.find_first_not_of(' ');
  CHECK(reply.body.substr(spaces) == events.final_object());
  CHECK(spaces >= 4);
  CHECK(spaces <= 5);
  uint64_t last_ns = reply.head_ns;
  for (size_t i = 0; i < spaces; ++i) {
    const uint64_t gap_ns = reply.arrivals[i].at_ns - last_ns;
    CHECK((gap_ns < 10 * kMs || (gap_ns > 14 * kSecond && gap_ns < 16 * kSecond)));
    last_ns = reply.arrivals[i].at_ns;
  }
  CHECK(sim.metrics.value(metrics::Counter::early_headers) == 1);
}

TEST_CASE("answer: a failure after early headers can only cut the connection") {
  for (const bool own : {false, true}) {
    Sim sim;
    Events events("flex");
    Play play;
    play.sse().send(events.begun()).wait(60 * kSecond);
    if (own) {
      play.reset(kInternalCode);
    } else {
      play.send(events.failed(R"({"code":"server_error","message":"x"})")).finish();
    }
    sim.provider.flex_play = play;
    Client& client = sim.send(race_body(10, false));
    const Reply& reply = sim.wait(client);
    CHECK(reply.status == 200);
    CHECK(!reply.whole);
    CHECK(client.is_closed());
    CHECK(reply.body.find_first_not_of(' ') == std::string::npos);
  }
}

TEST_CASE("answer: early headers can be switched off") {
  SimOptions options;
  options.settings.early_headers_ns = 0;
  Sim sim(options);
  Events events("flex");
  Play play;
  play.sse().send(events.begun()).wait(100 * kSecond).reset(kInternalCode);
  sim.provider.flex_play = play;
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.status == 502);
  CHECK(reply.whole);
}

TEST_CASE("answer: comments keep a silent stream alive, between events only") {
  Sim sim;
  Events events("flex");
  Play play;
  const std::string begin = events.begun();
  play.sse().send(begin).wait(50 * kSecond);
  const std::string more = events.delta("more");
  // Half an event, then silence: nothing may be written into the middle of it.
  play.send(more.substr(0, 30)).wait(20 * kSecond).send(more.substr(30));
  const std::string end = events.completed();
  play.wait(16 * kSecond).send(end).finish();
  sim.provider.flex_play = play;
  const Reply& reply = sim.ask(race_body(10, true));
  CHECK(reply.whole);
  const std::string comment = ": keep-alive\n\n";
  const std::string three = begin + comment + comment + comment;
  CHECK(reply.body.starts_with(three));
  std::string rest = reply.body;
  size_t comments = 0;
  for (size_t at = rest.find(comment); at != std::string::npos; at = rest.find(comment)) {
    rest.erase(at, comment.size());
    ++comments;
  }
  CHECK(rest == play.sent());
  CHECK(comments >= 4);
  CHECK(sim.metrics.value(metrics::Counter::keepalive_comments) == comments);
}

TEST_CASE("answer: a caller that repeats a spent race is told to stop") {
  SimOptions options;
  Sim sim(options);
  Events events("flex");
  Play play = started(events);
  play.reset(kInternalCode);
  sim.provider.flex_play = play;
  CHECK(sim.ask(race_body(30, false)).field("x-should-retry").empty());
  const Reply& again = sim.ask(race_body(30, false), "x-stainless-retry-count: 1\r\n");
  CHECK(again.status == 502);
  CHECK(again.field("x-should-retry") == "false");
}

TEST_CASE("answer: requests ids of ours, of the caller's and of the provider's") {
  Sim sim;
  sim.provider.standard_play.answer(
      200, {{"content-type", "application/json"}, {"x-request-id", "up_9"}}, "{}");
  const Reply& ours = sim.ask(body(R"("start_within":"default")"));
  CHECK(ours.field("x-request-id") == "up_9");
  CHECK(ours.field("x-flexinference-request-id").starts_with("req_"));
  const Reply& theirs = sim.ask(body(R"("start_within":"default")"), "X-Request-Id: abc-1.2_3\r\n");
  CHECK(theirs.field("x-flexinference-request-id") == "abc-1.2_3");
  const Reply& odd = sim.ask(body(R"("start_within":"nope")"), "X-Request-Id: a b\"c\r\n");
  CHECK(odd.status == 400);
  CHECK(odd.field("x-request-id") == odd.field("x-flexinference-request-id"));
  CHECK(odd.field("x-request-id").starts_with("req_"));
}
