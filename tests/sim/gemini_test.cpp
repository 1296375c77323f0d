// Gemini in its own dialect: its tiers, its race, its bytes.
#include <doctest/doctest.h>

#include <regex>
#include <set>

#include "dialects.hpp"
#include "vendor_events.hpp"

using namespace flexd;
using namespace flexd::sim_test;
using metrics::AttemptResult;

namespace {

constexpr Pair kPair{Dialect::interactions, Vendor::gemini};
const Question kRace{.start_within = std::string(kDuration)};
const Question kStreamedRace{.start_within = std::string(kDuration), .stream = true};
constexpr uint64_t kSlackNs = 3 * kMs;

bool about(uint64_t actual_ns, uint64_t expected_ns) {
  return actual_ns + kSlackNs >= expected_ns && actual_ns <= expected_ns + kSlackNs;
}

// Race is a world whose standard attempt answers at once.
struct Race {
  explicit Race(const SimOptions& options = three_providers()) : sim(options) {
    sim.provider.standard_play.sse().send(standard.whole()).finish();
  }
  Play& flex_play() { return sim.provider.flex_play; }

  Sim sim;
  VendorEvents flex{Vendor::gemini, "flex", "f1"};
  VendorEvents standard{Vendor::gemini, "standard", "s1"};
};

// The two ways to say that there are too many requests: Google's front end has details.
constexpr std::string_view kNoCapacity =
    R"({"error":{"code":429,"message":"Busy.","status":"RESOURCE_EXHAUSTED"}})";
constexpr std::string_view kOwnQuota =
    R"({"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[)"
    R"({"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"x"}]},)"
    R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"}]}})";
constexpr std::string_view kUnavailable =
    R"({"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}})";

// sorted is a JSON text with the members of every object in order of their names: a stream brings
// them in another one.
std::string sorted(json::Value value) {
  std::string all;
  if (value.is(json::Type::kObject)) {
    std::set<std::string> members;
    for (const json::Member member : json::Members(value)) {
      members.insert(std::string(member.name.text) + ":" + sorted(member.value));
    }
    for (const std::string& member : members) all += member + "\n";
    return "{" + all + "}";
  }
  if (!value.is(json::Type::kArray)) return std::string(value.text);
  for (const json::Value element : json::Elements(value)) all += sorted(element) + ",";
  return "[" + all + "]";
}

// plain takes away what differs between two answers to the same question.
std::string plain(std::string text) {
  text = std::regex_replace(text, std::regex("v1_[0-9a-f]+"), "ID");
  text = std::regex_replace(text, std::regex(R"(\d{4}-\d\d-\d\dT[0-9:.]+Z)"), "TIME");
  text = std::regex_replace(text, std::regex("\"[0-9a-f]{48}\""), "\"ID\"");
  text = std::regex_replace(text, std::regex("CiFlexsi[0-9a-f]{56}"), "BLOB");
  return std::regex_replace(text, std::regex(R"("service_tier":"\w+")"),
                            R"("service_tier":"TIER")");
}

}  // namespace

TEST_CASE("gemini: each start_within is its tier, and start_within stays here") {
  const std::vector<std::pair<std::string, std::string>> words = {{"default", "standard"},
                                                                  {"priority", "priority"}};
  for (const auto& [start_within, tier] : words) {
    Race race;
    race.sim.provider.standard_play = Play().json(200, race.standard.object());
    const Reply& reply = ask(race.sim, kPair, {.start_within = start_within});
    CHECK(reply.status == 200);
    CHECK(difference(reply.body, race.standard.object()) == "");
    CHECK(reply.tier() == tier);
    CHECK(reply.reason() == "tier_direct");
    CHECK(reply.field("x-flexinference-served-provider") == "gemini");
    const Seen& seen = race.sim.provider.only(tier);
    CHECK(seen.provider == Vendor::gemini);
    CHECK(seen.path == "/v1beta/interactions");
    CHECK(seen.field("x-goog-api-key") == "AIza-sim");
    CHECK(seen.field("authorization").empty());
    CHECK(seen.body.find("start_within") == std::string::npos);
    CHECK(!seen.streamed);
  }
  Race race;
  const Reply& reply = ask(race.sim, kPair, {.start_within = "auto"});
  CHECK(reply.status == 400);
  CHECK(reply.code() == "auto_unsupported_for_gemini");
  CHECK(race.sim.provider.seen().empty());
}

TEST_CASE("gemini: both paths are the same") {
  for (const std::string path : {"/v1/interactions", "/v1beta/interactions"}) {
    Race race;
    const Reply& reply =
        race.sim.ask_at(path, request_of(kPair, {.stream = true}), "Api-Revision: 2026-05-20\r\n");
    CHECK(reply.status == 200);
    CHECK(difference(reply.body, race.sim.provider.standard_play.sent()) == "");
    CHECK(race.sim.provider.only("standard").path == "/v1beta/interactions");
    CHECK(race.sim.provider.only("standard").field("api-revision") == "2026-05-20");
  }
}

TEST_CASE("gemini: flex starts in time, and a streaming caller gets its bytes") {
  Race race;
  race.flex_play()
      .head(200, {{"content-type", "text/event-stream; charset=utf-8"},
                  {"x-gemini-service-tier", "flex"}})
      .send(": hello\n\n" + race.flex.opening())
      .wait(2 * kSecond)
      .send(race.flex.start())
      .wait(kSecond)
      .send("event: brand.new\ndata: {\"event_type\":\"brand.new\", \"x\":1e2}\n\n" +
            race.flex.delta("Hi") + race.flex.finish())
      .finish();
  const Reply& reply = ask(race.sim, kPair, kStreamedRace);
  CHECK(reply.status == 200);
  CHECK(reply.whole);
  CHECK(difference(reply.body, race.flex_play().sent()) == "");
  CHECK(reply.body.ends_with("event: done\ndata: [DONE]\n\n"));
  CHECK(reply.reason() == "flex_won");
  CHECK(reply.tier() == "flex");
  CHECK(reply.field("x-gemini-service-tier") == "flex");
  CHECK(!reply.field("x-request-id").empty());
  CHECK(about(reply.head_ns - race.sim.provider.only("flex").whole_ns, 2 * kSecond));
  CHECK(race.sim.provider.seen().size() == 1);
  CHECK(race.sim.possible_double_bills(Vendor::gemini) == 0);
}

TEST_CASE("gemini: neither its opening, a status, a comment nor a keepalive is a start") {
  Race race;
  race.flex_play().sse().send(race.flex.opening());
  for (int i = 0; i < 8; ++i) {
    race.flex_play().wait(5 * kSecond).send(race.flex.silence());
  }
  const Reply& reply = ask(race.sim, kPair, kStreamedRace);
  CHECK(reply.reason() == "flex_deadline");
  CHECK(reply.tier() == "standard");
  CHECK(difference(reply.body, race.sim.provider.standard_play.sent()) == "");
  const Seen& flex = race.sim.provider.only("flex");
  const Seen& standard = race.sim.provider.only("standard");
  CHECK(about(standard.whole_ns - flex.whole_ns, 30 * kSecond));
  CHECK(standard.connection == flex.connection);
  CHECK(flex.cancelled());
  CHECK(flex.closed_ns >= standard.whole_ns);
  // What was given up may be billed all the same.
  CHECK(race.sim.possible_double_bills(Vendor::gemini) == 1);
}

TEST_CASE("gemini: what breaks off before standard is asked may be billed beside it") {
  struct Break {
    std::string name;
    Play play;
    uint64_t bills;
  };
  const std::string opening = VendorEvents(Vendor::gemini, "flex", "f1").opening();
  const Break breaks[] = {
      {"reset", Play().sse().send(opening).reset(kInternalCode), 1},
      {"reset before its head", Play().wait(kSecond).reset(kInternalCode), 1},
      {"an end without a last event", Play().sse().send(opening).finish(), 1},
      {"never processed", Play().reset(kRefusedCode), 0},
      {"half of a refusal",
       Play()
           .head(503, {{"content-type", "application/json"}})
           .send("{")
           .wait(kSecond)
           .reset(kInternalCode),
       0},
  };
  for (const Break& one : breaks) {
    CAPTURE(one.name);
    Race race;
    race.flex_play() = one.play;
    const Reply& reply = ask(race.sim, kPair, kStreamedRace);
    CHECK(reply.reason() == "flex_not_started");
    CHECK(difference(reply.body, race.sim.provider.standard_play.sent()) == "");
    CHECK(race.sim.possible_double_bills(Vendor::gemini) == one.bills);
  }
}

TEST_CASE("gemini: of two attempts under way one that breaks off may be billed too") {
  Race race;
  race.flex_play().sse().send(race.flex.opening()).wait(32 * kSecond).reset(kInternalCode);
  race.sim.provider.standard_play =
      Play().wait(20 * kSecond).sse().send(race.standard.whole()).finish();
  const Reply& reply = ask(race.sim, kPair, kStreamedRace);
  CHECK(reply.reason() == "flex_deadline");
  CHECK(reply.tier() == "standard");
  CHECK(race.sim.possible_double_bills(Vendor::gemini) == 1);
  CHECK(race.sim.attempts(Vendor::gemini, AttemptResult::broken) == 1);

  // Nobody else is asked after the last one breaks.
  Race direct;
  direct.sim.provider.standard_play =
      Play().sse().send(direct.standard.begun()).wait(kSecond).reset(kInternalCode);
  ask(direct.sim, kPair, {.start_within = "default", .stream = true});
  CHECK(direct.sim.possible_double_bills(Vendor::gemini) == 0);
}

TEST_CASE("gemini: beside an attempt that was refused or never sent nothing is a second bill") {
  // The standard attempt's refusal still comes when flex breaks, before the window closes.
  SimOptions options = three_providers();
  options.settings.standard_lead_auto = false;
  options.settings.standard_lead_ns = 10 * kSecond;
  Race refused(options);
  refused.flex_play().sse().send(refused.flex.opening()).wait(25 * kSecond).reset(kInternalCode);
  refused.sim.provider.standard_play = Play()
                                           .head(503, {{"content-type", "application/json"}})
                                           .send(std::string(kUnavailable).substr(0, 9))
                                           .wait(10 * kSecond)
                                           .send(std::string(kUnavailable).substr(9))
                                           .finish();
  CHECK(ask(refused.sim, kPair, kStreamedRace).status == 503);
  CHECK(refused.sim.attempts(Vendor::gemini, AttemptResult::broken) == 1);
  CHECK(refused.sim.possible_double_bills(Vendor::gemini) == 0);

  // A refusal that comes after the break.
  Race later;
  later.flex_play().sse().send(later.flex.opening()).reset(kInternalCode);
  later.sim.provider.standard_play = Play().json(503, std::string(kUnavailable));
  CHECK(ask(later.sim, kPair, kStreamedRace).status == 503);
  CHECK(later.sim.possible_double_bills(Vendor::gemini) == 0);

  // One that never gets a connection, asked for with the break and before it.
  for (const uint64_t breaks_ns : {5 * kSecond, 31 * kSecond}) {
    CAPTURE(breaks_ns);
    Race unsent;
    unsent.sim.provider.set_streams_max(1);
    unsent.flex_play().sse().send(unsent.flex.opening()).wait(breaks_ns).abort();
    Client& client = send(unsent.sim, kPair, kStreamedRace);
    unsent.sim.run(kSecond);
    unsent.sim.world.faults().connect_timeout = 1;
    CHECK(unsent.sim.wait(client).status >= 502);
    CHECK(unsent.sim.provider.of("standard").empty());
    CHECK(unsent.sim.attempts(Vendor::gemini, AttemptResult::broken) == 2);
    CHECK(unsent.sim.possible_double_bills(Vendor::gemini) == 0);
  }
}

TEST_CASE("gemini: a caller that leaves gives up what may be billed, and a refusal is not") {
  for (const bool refused : {false, true}) {
    CAPTURE(refused);
    Race race;
    race.sim.provider.standard_play = Play();
    if (refused) {
      race.sim.provider.standard_play.head(503, {{"content-type", "application/json"}}).send("{");
    } else {
      race.sim.provider.standard_play.sse().send(race.standard.opening());
    }
    Client& client = send(race.sim, kPair, {.start_within = "default", .stream = true});
    race.sim.run(kSecond);
    client.abort();
    race.sim.run(kSecond);
    CHECK(race.sim.provider.only("standard").cancelled());
    CHECK(race.sim.possible_double_bills(Vendor::gemini) == (refused ? 0 : 1));
  }
}

TEST_CASE("gemini: a sequential race gives flex up before standard is asked") {
  SimOptions options = three_providers();
  options.settings.race = config::RaceMode::sequential;
  Race race(options);
  race.flex_play().sse().send(race.flex.opening());
  const Reply& reply = ask(race.sim, kPair, kRace);
  CHECK(reply.status == 200);
  CHECK(reply.reason() == "flex_deadline");
  const Seen& flex = race.sim.provider.only("flex");
  CHECK(flex.cancelled());
  CHECK(flex.closed_ns <= race.sim.provider.only("standard").whole_ns);
  CHECK(race.sim.possible_double_bills(Vendor::gemini) == 1);
}

TEST_CASE("gemini: flex that starts after the window still wins if it is first") {
  Race race;
  race.flex_play().sse().send(race.flex.opening()).wait(32 * kSecond).send(race.flex.start());
  race.flex_play().send(race.flex.delta("Hi") + race.flex.finish()).finish();
  race.sim.provider.standard_play = Play().wait(20 * kSecond).sse().finish();
  const Reply& reply = ask(race.sim, kPair, kStreamedRace);
  CHECK(reply.reason() == "flex_won");
  CHECK(difference(reply.body, race.flex_play().sent()) == "");
  race.sim.run(20 * kMs);
  CHECK(race.sim.provider.only("standard").cancelled());
}

TEST_CASE("gemini: why flex refused decides on the reason") {
  struct Refusal {
    const char* name;
    unsigned status;
    std::string body;
    const char* reason;
  };
  const std::vector<Refusal> refusals = {
      {"503", 503, std::string(kUnavailable), "flex_capacity"},
      {"503 without a body", 503, "", "flex_capacity"},
      {"429 without details", 429, std::string(kNoCapacity), "flex_capacity"},
      {"429 in a list", 429, "[" + std::string(kNoCapacity) + "]", "flex_capacity"},
      {"429 own quota", 429, std::string(kOwnQuota), "flex_upstream_error"},
      {"400", 400, R"({"error":{"message":"no","code":"invalid_request"}})", "flex_upstream_error"},
      {"500", 500, "<html>", "flex_upstream_error"}};
  for (const Refusal& refusal : refusals) {
    for (const bool stream : {false, true}) {
      CAPTURE(refusal.name);
      CAPTURE(stream);
      Race race;
      race.flex_play().json(refusal.status, refusal.body);
      const Reply& reply =
          ask(race.sim, kPair, {.start_within = std::string(kDuration), .stream = stream});
      CHECK(reply.status == 200);
      CHECK(reply.reason() == refusal.reason);
      CHECK(reply.tier() == "standard");
      CHECK(what(said_in(Dialect::interactions, stream, reply.body)).starts_with("text=Hi "));
      CHECK(race.sim.attempts(Vendor::gemini, AttemptResult::refused) == 1);
      CHECK(race.sim.possible_double_bills(Vendor::gemini) == 0);
    }
  }
}

TEST_CASE("gemini: an error event before the start is a refusal") {
  struct Event {
    const char* data;
    const char* reason;
  };
  const std::vector<Event> events = {
      {R"({"error":{"code":"unavailable","message":"x"},"event_type":"error"})", "flex_capacity"},
      {R"({"error":{"code":503,"message":"x","status":"UNAVAILABLE"},"event_type":"error"})",
       "flex_capacity"},
      {R"({"error":{"code":"internal","message":"x"},"event_type":"error"})",
       "flex_upstream_error"},
      {R"({"error":{},"event_type":"error"})", "flex_upstream_error"}};
  for (const Event& event : events) {
    CAPTURE(event.data);
    Race race;
    race.flex_play().sse().send(race.flex.opening() + "event: error\ndata: " + event.data + "\n\n");
    race.flex_play().finish();
    const Reply& reply = ask(race.sim, kPair, kStreamedRace);
    CHECK(reply.reason() == event.reason);
    CHECK(difference(reply.body, race.sim.provider.standard_play.sent()) == "");
  }
}

TEST_CASE("gemini: a stream that ends before it started has not started") {
  for (const bool reset : {false, true}) {
    Race race;
    race.flex_play().sse().send(race.flex.opening());
    reset ? race.flex_play().reset(kInternalCode) : race.flex_play().finish();
    const Reply& reply = ask(race.sim, kPair, kStreamedRace);
    CHECK(reply.reason() == "flex_not_started");
    CHECK(difference(reply.body, race.sim.provider.standard_play.sent()) == "");
  }
}

TEST_CASE("gemini: the folded interaction is what the provider would have said at once") {
  SimOptions options = three_providers();
  options.flexsim = true;
  for (const std::string scenario :
       {"ok", "tool-call", "tools", "interleaved", "reasoning", "reasoning-tools", "refusal",
        "incomplete", "incomplete content_filter", "unicode", "cached", "json", "split-bytes",
        "huge-event 300000"}) {
    CAPTURE(scenario);
    Sim sim(options);
    const std::string text = "[flexsim:" + scenario + "]";
    const std::string direct = ask(sim, kPair, {.text = text}).body;
    const Reply& folded = ask(sim, kPair, {.text = text, .start_within = std::string(kDuration)});
    CHECK(folded.status == 200);
    CHECK(folded.reason() == "flex_won");
    CHECK(folded.field("content-type") == "application/json");
    CHECK(folded.field("x-gemini-service-tier") == "flex");
    CHECK(said_in(Dialect::interactions, false, folded.body).stop ==
          said_in(Dialect::interactions, false, direct).stop);
    REQUIRE(json::validate(folded.body).has_value());
    const std::string one = plain(direct);
    const std::string other = plain(folded.body);
    CHECK(difference(sorted(json::Value{other}), sorted(json::Value{one})) == "");
  }
}

TEST_CASE("gemini: what follows an answer that came in one piece changes nothing") {
  for (const Dialect dialect : kDialects) {
    Race race;
    const std::string whole = race.flex.whole();
    const std::string done = "event: done\ndata: [DONE]\n\n";
    REQUIRE(whole.ends_with(done));
    race.flex_play().sse().send(whole.substr(0, whole.size() - done.size()));
    race.flex_play().wait(kMs).send(done).wait(kMs).finish();
    const Reply& reply = ask(race.sim, {dialect, Vendor::gemini}, kRace);
    race.sim.run(100 * kMs);
    CHECK(reply.status == 200);
    CHECK(said_in(dialect, false, reply.body).text == "Hi");
    CHECK(race.sim.lines().size() == 1);
    CHECK(race.sim.provider.only("flex").close_code == 0);
  }
}

TEST_CASE("gemini: a committed stream that is cut ends in an error event of flexd's own") {
  for (const bool reset : {false, true}) {
    Race race;
    const std::string begun = race.flex.begun();
    race.flex_play().sse().send(begun + "event: step.delta\ndata: {\"ind").wait(kSecond);
    reset ? race.flex_play().reset(kInternalCode) : race.flex_play().finish();
    const Reply& reply = ask(race.sim, kPair, kStreamedRace);
    CHECK(reply.status == 200);
    CHECK(reply.whole);
    REQUIRE(reply.body.starts_with(begun));
    const Terminals ends = terminals_of(Dialect::interactions, reply.body);
    CHECK(ends.good == 0);
    CHECK(ends.bad == 1);
    CHECK(ends.at_end);
    CHECK(ends.failure.find("upstream_stream_failed") != std::string::npos);
    CHECK(reply.body.find("[DONE]") == std::string::npos);
    CHECK(json_text(race.sim.last_line(), "outcome") == "stream_failed");
    // Nothing is sent again after the commit.
    CHECK(race.sim.provider.of("standard").empty());
  }
}

TEST_CASE("gemini: a committed stream that is cut is 502 for a caller that does not stream") {
  Race race;
  race.flex_play().sse().send(race.flex.begun()).wait(kSecond).reset(kInternalCode);
  const Reply& reply = ask(race.sim, kPair, kRace);
  CHECK(reply.status == 502);
  CHECK(reply.code() == "upstream_stream_failed");
  CHECK(reply.body.find(R"("status":"UNAVAILABLE")") != std::string::npos);
}

TEST_CASE("gemini: its own failure after the start is relayed, or the error's own bytes") {
  for (const bool stream : {false, true}) {
    Race race;
    race.flex_play().sse().send(race.flex.begun()).wait(kSecond).send(race.flex.failure());
    race.flex_play().finish();
    const Reply& reply =
        ask(race.sim, kPair, {.start_within = std::string(kDuration), .stream = stream});
    if (stream) {
      CHECK(difference(reply.body, race.flex_play().sent()) == "");
    } else {
      CHECK(reply.status == 500);
      CHECK(reply.body == "{\"error\":" + race.flex.failure_object() + "}");
    }
    CHECK(json_text(race.sim.last_line(), "outcome") == "provider_error");
  }
}

TEST_CASE("gemini: errors come byte for byte") {
  for (const std::string& body : {std::string(kOwnQuota), std::string(kUnavailable), std::string(),
                                  std::string("[{\"error\": 5}]\n"), std::string("<html>\r\n")}) {
    for (const bool race_it : {false, true}) {
      Race race;
      race.flex_play().json(503, std::string(kUnavailable));
      race.sim.provider.standard_play = Play().answer(
          503, {{"content-type", "application/json; charset=UTF-8"}, {"retry-after", "7"}}, body);
      const Reply& reply =
          ask(race.sim, kPair, {.start_within = race_it ? std::string(kDuration) : "default"});
      CHECK(reply.status == 503);
      CHECK(reply.body == body);
      CHECK(reply.field("content-type") == "application/json; charset=UTF-8");
      CHECK(reply.field("retry-after") == "7");
      CHECK(reply.reason() == (race_it ? "flex_capacity" : "tier_direct"));
    }
  }
}

TEST_CASE("gemini: a caller that leaves a started answer may be billed for it") {
  Race race;
  race.flex_play().sse().send(race.flex.begun()).wait(60 * kSecond).send(race.flex.finish());
  Client& client = send(race.sim, kPair, kStreamedRace);
  CHECK(race.sim.run_until_true([&] { return !client.replies().empty(); }));
  client.abort();
  race.sim.run(100 * kMs);
  CHECK(race.sim.provider.only("flex").cancelled());
  CHECK(race.sim.possible_double_bills(Vendor::gemini) == 1);
  CHECK(race.sim.attempts(Vendor::gemini, AttemptResult::cancelled) == 1);
}
