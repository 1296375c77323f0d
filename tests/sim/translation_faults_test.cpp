// What goes wrong at a provider, as a caller of another dialect sees it: errors byte for byte,
// failures in the dialect's own form, and never a cut answer that looks whole.
#include <doctest/doctest.h>

#include "dialects.hpp"
#include "vendor_events.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// answer_with answers every request alike.
void answer_with(Sim& sim, const Play& play) {
  sim.provider.choose = [play](const Seen&) { return play; };
}

std::vector<std::string> starts_of(Pair pair) {
  return pair.races() ? std::vector<std::string>{"default", std::string(kDuration)}
                      : std::vector<std::string>{"default"};
}

// check_failure: the stream ends in one failure of flexd's own, worded for the dialect, and nothing
// in it says that all went well.
void check_failure(Dialect dialect, const Reply& reply, std::string_view code) {
  CAPTURE(reply.body);
  CHECK(reply.whole);
  const Terminals ends = terminals_of(dialect, reply.body);
  CHECK(ends.good == 0);
  CHECK(ends.bad == 1);
  CHECK(ends.at_end);
  const json::Value failure{ends.failure};
  const json::Value error =
      dialect == Dialect::responses ? failure["response"]["error"] : failure["error"];
  CHECK(error["code"].equals(code));
  CHECK(error["message"].is(json::Type::kString));
  CHECK(reply.body.find("[DONE]") == std::string::npos);
  if (dialect == Dialect::messages) CHECK(failure["request_id"].exists());
}

// check_position: in Responses the failure has the stream's own id and the next number, in chat
// every chunk has the same id.
void check_position(Dialect dialect, const std::string& body) {
  const std::vector<Frame> frames = frames_of(body);
  REQUIRE(frames.size() >= 2);
  const json::Value first{frames.front().data};
  const json::Value last{frames.back().data};
  if (dialect == Dialect::responses) {
    CHECK(first["response"]["id"].exists());
    CHECK(last["response"]["id"].text == first["response"]["id"].text);
    CHECK(last["response"]["status"].equals("failed"));
    CHECK(last["response"]["model"].text == first["response"]["model"].text);
    for (size_t i = 0; i < frames.size(); ++i) {
      CHECK(json::Value{frames[i].data}["sequence_number"].to_int64() == static_cast<int64_t>(i));
    }
  }
}

}  // namespace

TEST_CASE("faults: a provider's error comes byte for byte, whatever the dialect") {
  struct Refusal {
    unsigned status;
    std::string type;
    std::string body;
  };
  const std::vector<Refusal> refusals = {
      {400, "application/json", R"({"error":{"message":"no \u00e9", "x":1e2}})"},
      {404, "application/json", ""},
      {429, "application/json; charset=UTF-8", R"([{"error":{"code":429}}])"},
      {500, "text/html", "<html>\r\n</html>"},
      {503, "application/json", "{\"error\": {\"cut"},
      {529, "application/json", R"({"type":"error","error":{"type":"overloaded_error"}})"}};
  for (const Pair pair : translated_pairs()) {
    for (const Refusal& refusal : refusals) {
      for (const std::string& start_within : starts_of(pair)) {
        for (const bool stream : {false, true}) {
          CAPTURE(pair.name());
          CAPTURE(refusal.status);
          CAPTURE(start_within);
          Sim sim(three_providers());
          answer_with(sim,
                      Play().answer(refusal.status,
                                    {{"content-type", refusal.type}, {"x-should-retry", "false"}},
                                    refusal.body));
          const Reply& reply = ask(sim, pair, {.start_within = start_within, .stream = stream});
          CHECK(reply.status == refusal.status);
          CHECK(difference(reply.body, refusal.body) == "");
          CHECK(reply.field("content-type") == refusal.type);
          CHECK(reply.field("x-should-retry") == "false");
          CHECK(reply.field("x-flexinference-served-provider") ==
                errors::provider_word(pair.provider));
          CHECK(json_text(sim.last_line(), "outcome") == "provider_error");
        }
      }
    }
  }
}

TEST_CASE("faults: a failure in the stream is told in the caller's dialect") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    for (const std::string& start_within : starts_of(pair)) {
      CAPTURE(start_within);
      Sim sim(three_providers());
      VendorEvents events(pair.provider);
      answer_with(sim, Play().sse().send(events.begun() + events.failure()).finish());
      const Reply& reply = ask(sim, pair, {.start_within = start_within, .stream = true});
      CAPTURE(reply.body);
      CHECK(reply.status == 200);
      CHECK(reply.whole);
      const Terminals ends = terminals_of(pair.dialect, reply.body);
      CHECK(ends.good == 0);
      CHECK(ends.bad == 1);
      CHECK(ends.at_end);
      CHECK(ends.failure.find("It broke.") != std::string::npos);
      CHECK(reply.body.find("[DONE]") == std::string::npos);
      check_position(pair.dialect, reply.body);
      CHECK(json_text(sim.last_line(), "outcome") == "provider_error");
    }
  }
}

TEST_CASE("faults: a failure of a folded answer is the provider's own object") {
  for (const Pair pair : translated_pairs()) {
    if (!pair.races()) continue;
    CAPTURE(pair.name());
    Sim sim(three_providers());
    VendorEvents events(pair.provider);
    Play play;
    play.sse().send(events.begun()).wait(kSecond).send(events.failure()).finish();
    answer_with(sim, play);
    const Reply& reply = ask(sim, pair, {.start_within = std::string(kDuration)});
    CHECK(reply.status == 500);
    CHECK(reply.body == "{\"error\":" + events.failure_object() + "}");
    CHECK(reply.field("content-type") == "application/json");
  }
}

TEST_CASE("faults: a stream that is cut ends in a failure of its own dialect") {
  for (const Pair pair : translated_pairs()) {
    for (const std::string& start_within : starts_of(pair)) {
      for (size_t way = 0; way < 4; ++way) {
        CAPTURE(pair.name());
        CAPTURE(start_within);
        CAPTURE(way);
        Sim sim(three_providers());
        VendorEvents events(pair.provider);
        Play play;
        play.sse().send(events.begun());
        if (way % 2 == 1) play.send("event: x\ndata: {\"cut");
        play.wait(kSecond);
        way < 2 ? play.reset(kInternalCode) : play.finish();
        answer_with(sim, play);
        const Reply& reply = ask(sim, pair, {.start_within = start_within, .stream = true});
        CHECK(reply.status == 200);
        check_failure(pair.dialect, reply, "upstream_stream_failed");
        check_position(pair.dialect, reply.body);
        CHECK(json_text(sim.last_line(), "outcome") == "stream_failed");
        CHECK(sim.provider.seen().size() == 1);
      }
    }
  }
}

TEST_CASE("faults: a stream that falls silent ends in a failure of its own dialect") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    SimOptions options = three_providers();
    options.settings.idle_timeout_ns = 50 * kSecond;
    Sim sim(options);
    VendorEvents events(pair.provider);
    Play play;
    play.sse().send(events.begun());
    for (int i = 0; i < 30; ++i) play.wait(5 * kSecond).send(events.silence());
    answer_with(sim, play);
    const Reply& reply = ask(sim, pair, {.stream = true});
    check_failure(pair.dialect, reply, "upstream_timeout");
    CHECK(reply.end_ns - reply.head_ns < 52 * kSecond);
    CHECK(sim.provider.seen().front().cancelled());
  }
}

TEST_CASE("faults: an answer that is made as a whole and cut is 502") {
  for (const Pair pair : translated_pairs()) {
    for (const std::string& start_within : starts_of(pair)) {
      for (const bool reset : {false, true}) {
        CAPTURE(pair.name());
        CAPTURE(start_within);
        Sim sim(three_providers());
        VendorEvents events(pair.provider);
        Play play;
        if (start_within == kDuration) {
          play.sse().send(events.begun()).wait(kSecond);
        } else {
          const std::string object = events.object();
          play.head(200, {{"content-type", "application/json"}});
          play.send(object.substr(0, object.size() - 9)).wait(kSecond);
        }
        reset ? play.reset(kInternalCode) : play.finish();
        answer_with(sim, play);
        const Reply& reply = ask(sim, pair, {.start_within = start_within});
        CHECK(reply.status == 502);
        CHECK(reply.code() == "upstream_stream_failed");
        CHECK(reply.whole);
        CHECK(json_text(sim.last_line(), "outcome") != "ok");
      }
    }
  }
}

TEST_CASE("faults: a good status without an answer is 502") {
  for (const Pair pair : translated_pairs()) {
    for (const std::string body : {"", "<html>", "[]", "5", "{\"id\":", "{}", "{\"error\":{}}"}) {
      for (const bool stream : {false, true}) {
        CAPTURE(pair.name());
        CAPTURE(body);
        CAPTURE(stream);
        Sim sim(three_providers());
        answer_with(sim, Play().json(200, body));
        const Reply& reply = ask(sim, pair, {.stream = stream});
        CAPTURE(reply.body);
        CHECK(reply.status == 502);
        CHECK(reply.code() == "upstream_stream_failed");
      }
    }
  }
}

TEST_CASE("faults: a good status without an answer is 502 after a race as well") {
  for (const Pair pair : translated_pairs()) {
    if (!pair.races()) continue;
    for (const std::string type : {"application/json", "text/html", "text/event-stream"}) {
      for (const bool stream : {false, true}) {
        CAPTURE(pair.name());
        CAPTURE(type);
        CAPTURE(stream);
        Sim sim(three_providers());
        answer_with(sim, Play().answer(200, {{"content-type", type}}, "<html>"));
        const Reply& reply =
            ask(sim, pair, {.start_within = std::string(kDuration), .stream = stream});
        CAPTURE(reply.body);
        CHECK(reply.status == 502);
        CHECK(reply.code() == "upstream_stream_failed");
      }
    }
  }
}

TEST_CASE("faults: a slow reader of a translation costs a bounded amount of memory") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    SimOptions options = three_providers();
    options.settings.sse_keepalive_ns = 0;
    Sim sim(options);
    VendorEvents events(pair.provider);
    Play play;
    play.sse().send(events.begun());
    const std::string text(50'000, 'd');
    for (int i = 0; i < 120; ++i) play.send(events.delta(text)).wait(kMs);
    play.send(events.finish()).finish();
    answer_with(sim, play);
    Client& client = send(sim, pair, {.stream = true});
    sim.run(20 * kMs);
    client.pause();
    sim.run(kSecond);
    // 6 MB are there to be had. What was read of them stays, and where the dialect repeats a text
    // at its end, is held for that; nothing more is read.
    const size_t held_bytes = sim.gateway().blocks().in_use_bytes();
    CHECK(held_bytes < (pair.dialect == Dialect::responses ? size_t{6} << 20U : size_t{1} << 20U));
    sim.run(20 * kSecond);
    CHECK(sim.gateway().blocks().in_use_bytes() == held_bytes);
    CHECK(sim.provider.queued_bytes(sim.provider.seen().front()) > size_t{3} << 20U);
    client.resume();
    const Reply& reply = sim.wait(client);
    CHECK(reply.whole);
    CHECK(said_in(pair.dialect, true, reply.body).text.size() == 120 * text.size() + 2);
  }
}

TEST_CASE("faults: a caller that leaves cancels the provider's stream") {
  for (const Pair pair : translated_pairs()) {
    for (const std::string& start_within : starts_of(pair)) {
      for (const bool reset : {false, true}) {
        CAPTURE(pair.name());
        Sim sim(three_providers());
        VendorEvents events(pair.provider);
        answer_with(sim, Play().sse().send(events.begun()).wait(100 * kSecond));
        Client& client = send(sim, pair, {.start_within = start_within, .stream = true});
        sim.run(kSecond);
        REQUIRE(!client.replies().empty());
        reset ? client.abort() : client.close();
        sim.run(20 * kMs);
        CHECK(sim.provider.seen().front().cancelled());
        CHECK(json_text(sim.last_line(), "outcome") == "client_closed");
        CHECK(sim.gateway().blocks().in_use_bytes() < size_t{1} << 20U);
      }
    }
  }
}

TEST_CASE("faults: a translation that gets too long is cut like a broken one") {
  for (const Pair pair : translated_pairs()) {
    CAPTURE(pair.name());
    SimOptions options = three_providers();
    options.settings.memory_budget_bytes = size_t{100} << 20U;
    Sim sim(options);
    VendorEvents events(pair.provider);
    // No more than a bound may be held of a whole answer.
    std::string object = events.object();
    const size_t at = object.find("\"Hi\"");
    REQUIRE(at != std::string::npos);
    object.replace(at, 4, "\"" + std::string(size_t{33} << 20U, 'l') + "\"");
    answer_with(sim, Play().json(200, object));
    const Reply& reply = ask(sim, pair, {});
    CHECK(reply.status == 502);
    CHECK(reply.code() == "upstream_stream_failed");
  }
}

TEST_CASE("faults: an answer whose end never comes is over soon after its last event") {
  for (const Pair pair : every_pair()) {
    for (const std::string& start_within : starts_of(pair)) {
      CAPTURE(pair.name());
      CAPTURE(start_within);
      Sim sim(three_providers());
      VendorEvents events(pair.provider);
      // All of it in one piece: in a race nothing comes after the commit.
      answer_with(sim, Play().sse().send(events.whole()).wait(500 * kSecond));
      const Reply& reply = ask(sim, pair, {.start_within = start_within, .stream = true});
      CHECK(reply.whole);
      CHECK(reply.end_ns - reply.head_ns < 6 * kSecond);
      CHECK(reply.body.find("keep-alive") == std::string::npos);
      CHECK(terminals_of(pair.dialect, reply.body).good == 1);
      sim.run(2 * kSecond);
      CHECK(sim.provider.seen().front().cancelled());
      CHECK(sim.possible_double_bills(pair.provider) == 0);
      CHECK(json_text(sim.last_line(), "outcome") == "ok");
    }
  }
}

TEST_CASE("faults: an answer that lost an event does not look whole") {
  for (const Pair pair : translated_pairs()) {
    for (const std::string& start_within : starts_of(pair)) {
      CAPTURE(pair.name());
      CAPTURE(start_within);
      Sim sim(three_providers());
      VendorEvents events(pair.provider);
      Play play;
      play.sse().send(events.begun()).wait(kSecond);
      // The frame is whole, what is in it is not.
      const std::string lost = events.delta("lost");
      play.send(lost.substr(0, lost.rfind("ost\"")) + "\n\n").send(events.finish()).finish();
      answer_with(sim, play);
      const Reply& reply = ask(sim, pair, {.start_within = start_within, .stream = true});
      CHECK(reply.status == 200);
      check_failure(pair.dialect, reply, "upstream_stream_failed");
      CHECK(reply.body.find("\\\"stream\\\": true") == std::string::npos);
    }
  }
}

TEST_CASE("faults: a whole answer that lost an event on its way is 502") {
  // OpenAI's end has all of the answer in it, Gemini's has nothing.
  for (const Dialect dialect : kDialects) {
    for (const Vendor provider : {Vendor::openai, Vendor::gemini}) {
      const Pair pair{dialect, provider};
      CAPTURE(pair.name());
      Sim sim(three_providers());
      VendorEvents events(provider);
      Play play;
      play.sse().send(events.begun()).wait(kSecond);
      const std::string lost = events.delta("lost");
      play.send(lost.substr(0, lost.rfind("ost\"")) + "\n\n").send(events.finish()).finish();
      answer_with(sim, play);
      const Reply& reply = ask(sim, pair, {.start_within = std::string(kDuration)});
      CHECK(reply.status == (provider == Vendor::gemini ? 502 : 200));
    }
  }
}

TEST_CASE("faults: a translated stream has no encoding of the provider's") {
  for (const Pair pair : translated_pairs()) {
    for (const std::string& start_within : starts_of(pair)) {
      CAPTURE(pair.name());
      Sim sim(three_providers());
      VendorEvents events(pair.provider);
      const Fields fields = {{"content-type", "text/event-stream; charset=latin1"},
                             {"content-encoding", "identity"}};
      answer_with(sim, Play().head(200, fields).send(events.whole()).finish());
      const Reply& reply = ask(sim, pair, {.start_within = start_within, .stream = true});
      CHECK(terminals_of(pair.dialect, reply.body).good == 1);
      CHECK(reply.field("content-encoding") == "");
      CHECK(reply.field("content-type") == "text/event-stream; charset=utf-8");
    }
  }
}

TEST_CASE("faults: a failed object in place of a stream is logged as the provider's error") {
  for (const Pair pair : translated_pairs()) {
    if (pair.provider == Vendor::anthropic) continue;  // its messages have no status
    CAPTURE(pair.name());
    Sim sim(three_providers());
    answer_with(sim, Play().json(200, R"({"id":"1","status":"failed","output":[],)"
                                      R"("error":{"code":"server_error","message":"It broke."}})"));
    const Reply& reply = ask(sim, pair, {.stream = true});
    CHECK(reply.status == 200);
    const Terminals ends = terminals_of(pair.dialect, reply.body);
    CHECK(ends.good == 0);
    CHECK(ends.bad == 1);
    CHECK(json_text(sim.last_line(), "outcome") == "provider_error");
  }
}

TEST_CASE("faults: every form of a provider's failure is one failure to the caller") {
  for (const Pair pair : translated_pairs()) {
    Sim sim([] {
      SimOptions options = three_providers();
      options.flexsim = true;
      return options;
    }());
    for (const std::string scenario :
         {"failed-before-start", "failed-after-start", "error-event-before flat",
          "error-event-before nested", "error-event-after flat", "error-event-after empty"}) {
      CAPTURE(pair.name());
      CAPTURE(scenario);
      const Question question{.text = "[flexsim:" + scenario + "]", .stream = true};
      const Reply& reply = ask(sim, pair, question);
      CAPTURE(reply.body);
      CHECK(reply.status == 200);
      CHECK(reply.whole);
      const Terminals ends = terminals_of(pair.dialect, reply.body);
      CHECK(ends.good == 0);
      CHECK(ends.bad == 1);
      CHECK(ends.at_end);
    }
  }
}

TEST_CASE("faults: the status of a folded failure follows the provider's code") {
  struct Case {
    const char* code;
    unsigned status;
  };
  for (const Pair pair : every_pair()) {
    if (!pair.races()) continue;
    Sim sim([] {
      SimOptions options = three_providers();
      options.flexsim = true;
      return options;
    }());
    for (const Case& c : {Case{"rate_limit_exceeded", 429}, Case{"server_error", 500}}) {
      CAPTURE(pair.name());
      CAPTURE(c.code);
      const Reply& reply = ask(sim, pair,
                               {.text = "[flexsim:failed-after-start " + std::string(c.code) + "]",
                                .start_within = std::string(kDuration)});
      CAPTURE(reply.body);
      CHECK(reply.status == c.status);
      CHECK(json::Value{reply.body}["error"]["message"].exists());
      CHECK(reply.reason() == "flex_won");
    }
  }
}
