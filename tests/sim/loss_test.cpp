// Attempts that are refused, broken or never processed before they start.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

Play play_of(Events& events, uint64_t after_ns) {
  Play play;
  play.sse().send(events.opening()).wait(after_ns).send(events.start());
  return play.send(events.completed()).finish();
}

std::string error_json(std::string_view code, std::string_view type = "invalid_request_error") {
  return R"({"message":"no","type":")" + std::string(type) + R"(","param":null,"code":)" +
         (code.empty() ? "null" : "\"" + std::string(code) + "\"") + "}";
}

std::string error_text(std::string_view code) {
  return "{\"error\":" + error_json(code) + "}";
}

struct Loss {
  std::string name;
  Play play;
  std::string reason;
  std::string logged;
};

std::vector<Loss> losses() {
  const auto stream = [](auto&& last) {
    Events events("flex");
    Play play;
    play.sse().send(events.opening());
    last(play, events);
    return play;
  };
  std::vector<Loss> all;
  const auto http = [&](unsigned status, std::string body, std::string reason) {
    const std::string logged = reason.substr(5);
    all.push_back({std::to_string(status) + body, Play().json(status, body), reason, logged});
  };
  http(429, error_text("flex_unavailable"), "flex_capacity");
  http(429, error_text(""), "flex_capacity");
  http(429, "", "flex_capacity");
  http(429, error_text("insufficient_quota"), "flex_upstream_error");
  http(429, error_text("rate_limit_exceeded"), "flex_upstream_error");
  http(500, error_text("server_error"), "flex_upstream_error");
  http(503, "<html>", "flex_upstream_error");
  http(400, error_text("service_tier_not_supported"), "flex_upstream_error");
  const auto event = [&](std::string name, auto&& last, std::string reason) {
    all.push_back({std::move(name), stream(last), reason, reason.substr(5)});
  };
  event(
      "response.failed",
      [](Play& p, Events& e) { p.send(e.failed(error_json("server_error"))).finish(); },
      "flex_upstream_error");
  event(
      "response.failed flex_unavailable",
      [](Play& p, Events& e) { p.send(e.failed(error_json("flex_unavailable"))).finish(); },
      "flex_capacity");
  event(
      "flat error",
      [](Play& p, Events& e) {
        p.send(e.event("error", R"(,"code":"flex_unavailable","message":"no","param":null)"));
        p.finish();
      },
      "flex_capacity");
  event("reset", [](Play& p, Events&) { p.reset(kInternalCode); }, "flex_not_started");
  event("end", [](Play& p, Events&) { p.finish(); }, "flex_not_started");
  event("RST", [](Play& p, Events&) { p.wait(kMs).abort(); }, "flex_not_started");
  event("FIN", [](Play& p, Events&) { p.wait(kMs).close(); }, "flex_not_started");
  all.push_back(
      {"before the head", Play().reset(kInternalCode), "flex_not_started", "not_started"});
  return all;
}

}  // namespace

TEST_CASE("loss: a flex attempt that is refused or breaks sends standard at once") {
  for (const Loss& loss : losses()) {
    for (const bool stream : {false, true}) {
      CAPTURE(loss.name);
      CAPTURE(stream);
      Sim sim;
      Events standard("default");
      sim.provider.flex_play = loss.play;
      sim.provider.standard_play = play_of(standard, kSecond);
      const Reply& reply = sim.ask(race_body(60, stream));
      CHECK(reply.status == 200);
      CHECK(reply.whole);
      CHECK(reply.reason() == loss.reason);
      CHECK(reply.tier() == "default");
      CHECK(difference(reply.body, (stream ? sim.provider.standard_play.sent()
                                           : standard.final_object())) == "");
      CHECK(sim.provider.only("default").whole_ns - sim.provider.only("flex").whole_ns < 10 * kMs);
      CHECK(json_text(sim.last_line(), "flex_loss") == loss.logged);
    }
  }
}

TEST_CASE("loss: an attempt that was provably not processed is sent again on its tier") {
  for (const bool goaway : {false, true}) {
    CAPTURE(goaway);
    Sim sim;
    Events events("flex");
    int refusals = 2;
    sim.provider.choose = [&](const Seen&) {
      if (refusals-- > 0) return goaway ? Play().goaway() : Play().reset(kRefusedCode);
      return play_of(events, kSecond);
    };
    const Reply& reply = sim.ask(race_body(60, false));
    CHECK(reply.reason() == "flex_won");
    CHECK(difference(reply.body, events.final_object()) == "");
    CHECK(sim.provider.of("flex").size() == 3);
    CHECK(sim.provider.of("default").empty());
  }
}

TEST_CASE("loss: sent three times and never processed counts as not started") {
  Sim sim;
  Events events("default");
  sim.provider.flex_play.reset(kRefusedCode);
  sim.provider.standard_play = play_of(events, 0);
  const Reply& reply = sim.ask(race_body(60, false));
  CHECK(reply.reason() == "flex_not_started");
  CHECK(sim.provider.of("flex").size() == 3);
  CHECK(sim.provider.of("default").size() == 1);
}

TEST_CASE("loss: both never processed is an error of flexd's own") {
  Sim sim;
  sim.provider.flex_play.reset(kRefusedCode);
  sim.provider.standard_play.reset(kRefusedCode);
  const Reply& reply = sim.ask(race_body(60, false));
  CHECK(reply.status == 502);
  CHECK(reply.code() == "upstream_stream_failed");
  CHECK(reply.whole);
}

TEST_CASE("loss: a direct request that was not processed is sent again too") {
  Sim sim;
  int refusals = 2;
  const Play answer = Play().json(200, R"({"id":"resp_1"})");
  sim.provider.choose = [&](const Seen&) {
    return refusals-- > 0 ? Play().reset(kRefusedCode) : answer;
  };
  const Reply& reply = sim.ask(body(R"("start_within":"default")"));
  CHECK(reply.status == 200);
  CHECK(difference(reply.body, answer.sent()) == "");
  CHECK(sim.provider.of("default").size() == 3);
}

TEST_CASE("loss: a refused standard attempt is the answer, and flex is cancelled") {
  for (const bool stream : {false, true}) {
    Sim sim;
    Events flex("flex");
    sim.provider.flex_play.sse().send(flex.waiting()).wait(kSecond * 600);
    const std::string error = "{\n  \"error\": " + error_json("x") + "\n}\n";
    sim.provider.standard_play.json(400, error);
    const Reply& reply = sim.ask(race_body(5, stream));
    sim.run(kMs);
    CHECK(reply.status == 400);
    CHECK(reply.body == error);
    CHECK(reply.reason() == "flex_deadline");
    CHECK(reply.tier() == "default");
    CHECK(sim.provider.only("flex").cancelled());
    CHECK(sim.requests(metrics::Outcome::provider_error, metrics::Reason::flex_deadline) == 1);
  }
}

TEST_CASE("loss: with a lead, a refusal of standard waits for the window's end") {
  SimOptions options;
  options.settings.standard_lead_ns = 4 * kSecond;
  const std::string error = error_text("server_error");
  for (const bool stream : {false, true}) {
    CAPTURE(stream);
    Sim sim(options);
    Events flex("flex");
    sim.provider.flex_play = play_of(flex, 8 * kSecond);
    sim.provider.standard_play.json(500, error);
    const Reply& won = sim.ask(race_body(10, stream));
    CHECK(won.status == 200);
    CHECK(won.reason() == "flex_won");
    CHECK(difference(won.body, (stream ? sim.provider.flex_play.sent() : flex.final_object())) ==
          "");

    sim.provider.flex_play = Play().sse().send(flex.created()).wait(600 * kSecond);
    const uint64_t begun_ns = sim.world.now_ns();
    const Reply& refused = sim.ask(race_body(10, stream));
    CHECK(refused.status == 500);
    CHECK(refused.body == error);
    CHECK(refused.reason() == "flex_deadline");
    CHECK(refused.head_ns - begun_ns >= 10 * kSecond);
    CHECK(refused.head_ns - begun_ns < 10 * kSecond + 10 * kMs);
    CHECK(sim.provider.of("flex").back()->cancelled());
  }
}

TEST_CASE("loss: a refusal that is held and then breaks off is told, not cut") {
  SimOptions options;
  options.settings.standard_lead_ns = 4 * kSecond;
  Sim sim(options);
  Events flex("flex");
  sim.provider.flex_play.sse().send(flex.created()).wait(600 * kSecond);
  sim.provider.standard_play.head(500, {{"content-type", "application/json"}});
  sim.provider.standard_play.send("{\"error\":").wait(kSecond).reset(kInternalCode);
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.status == 502);
  CHECK(reply.whole);
  CHECK(reply.code() == "upstream_stream_failed");
  CHECK(reply.reason() == "flex_deadline");
}

TEST_CASE("loss: a failure event of the standard attempt before its start is the answer") {
  const std::string error = error_json("rate_limit_exceeded", "requests");
  for (const bool stream : {false, true}) {
    CAPTURE(stream);
    Sim sim;
    Events standard("default");
    sim.provider.flex_play.json(429, error_text("flex_unavailable"));
    sim.provider.standard_play.sse().send(standard.opening()).send(standard.failed(error)).finish();
    const Reply& reply = sim.ask(race_body(10, stream));
    CHECK(reply.reason() == "flex_capacity");
    CHECK(reply.whole);
    if (stream) {
      CHECK(reply.status == 200);
      CHECK(difference(reply.body, sim.provider.standard_play.sent()) == "");
    } else {
      CHECK(reply.status == 429);
      CHECK(reply.body == "{\"error\":" + error + "}");
    }
  }
}

TEST_CASE("loss: a standard attempt that breaks leaves the field to flex") {
  Sim sim;
  Events flex("flex");
  sim.provider.flex_play = play_of(flex, 20 * kSecond);
  sim.provider.standard_play.reset(kInternalCode);
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.status == 200);
  CHECK(reply.reason() == "flex_won");
  CHECK(difference(reply.body, flex.final_object()) == "");
}

TEST_CASE("loss: no provider to be reached is an error with its stage") {
  SimOptions options;
  options.origin_ip = "10.0.0.9";  // nobody listens
  for (const std::string& request : {race_body(10, false), body(R"("start_within":"default")")}) {
    Sim sim(options);
    const Reply& reply = sim.ask(request);
    CHECK(reply.status == 502);
    CHECK(reply.code() == "upstream_unreachable");
    CHECK(reply.body.find("OpenAI") != std::string::npos);
    CHECK(reply.body.find("stage: connect") != std::string::npos);
  }
  options.origin_ip = "no.such.host";
  Sim sim(options);
  const Reply& reply = sim.ask(race_body(10, false));
  CHECK(reply.status == 502);
  CHECK(reply.body.find("stage: name") != std::string::npos);
}
