// Random scenarios over all dialects and providers: providers that stop, stay silent, fail or say
// something else than asked, a network with faults, callers that leave. Whatever happens, a stream
// ends in exactly one terminal event of its dialect or visibly broken off, and what was cut at the
// provider never looks whole. Seeds as in random_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "chaos.hpp"
#include "dialects.hpp"
#include "vendor_events.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// Script is what a provider did with one request, for the judge.
struct Script {
  std::string trace;
  std::string tier;
  std::string text;  // that the model said in all
  unsigned status = 200;
  std::string body;       // of an error, or of what is no answer
  bool is_odd = false;    // a good status, and no answer
  bool complete = false;  // the answer has its terminal event
  bool failed = false;    // which says that it failed
};

struct Ask {
  std::string trace;
  Pair pair;
  Question question;
  Client* client = nullptr;
  bool left = false;
};

class Chaos {
 public:
  Chaos(uint64_t seed, bool harmful);
  void run();

 private:
  static SimOptions options_of(uint64_t seed);
  Play make_play(const Seen& seen);
  void play_stream(Play& play, VendorEvents& events, Script& script);
  void play_error(Play& play, Script& script);
  void one_client();
  void judge(const Ask& ask);
  void judge_stream(const Ask& ask, const Reply& reply);
  void judge_body(const Ask& ask, const Reply& reply);
  // said_whole: an attempt of this tier has said the text, to its good end.
  bool said_whole(const Ask& ask, const Reply& reply, const std::string& text) const;
  bool failed_itself(const Ask& ask, const Reply& reply) const;

  Random random_;
  bool harmful_;
  Sim sim_;
  std::vector<Script> scripts_;
  std::vector<Ask> asks_;
};

SimOptions Chaos::options_of(uint64_t seed) {
  Random random(seed ^ 0xd1a1ec7);
  SimOptions options = three_providers();
  options.seed = seed;
  if (random.one_in(3)) options.settings.race = config::RaceMode::sequential;
  if (random.one_in(3)) options.settings.standard_lead_ns = random.span(1, 5) * kSecond;
  if (random.one_in(3)) options.account.race_slots = static_cast<uint32_t>(random.span(1, 3));
  if (random.one_in(4)) options.settings.early_headers_ns = random.span(1, 3) * kSecond;
  options.settings.first_byte_timeout_ns = random.span(20, 60) * kSecond;
  options.settings.idle_timeout_ns = random.span(20, 60) * kSecond;
  return options;
}

Chaos::Chaos(uint64_t seed, bool harmful)
    : random_(seed), harmful_(harmful), sim_(options_of(seed)) {
  sim_.provider.choose = [this](const Seen& seen) { return make_play(seen); };
  const double p = 0.02 * static_cast<double>(random_.below(10));
  sim_.world.faults() = harmful ? io::sim::Faults::harmful(p, 0.002) : io::sim::Faults::harmless(p);
}

void Chaos::play_error(Play& play, Script& script) {
  script.status = std::array{400U, 429U, 500U, 503U, 529U}[random_.below(5)];
  script.body = R"({"error":{"message":"no","code":"x"},"pad":")" +
                std::string(random_.below(5000), 'p') + "\"}";
  play.head(script.status, {{"content-type", "application/json"}});
  send_pieces(random_, play, script.body);
  play.finish();
}

void Chaos::play_stream(Play& play, VendorEvents& events, Script& script) {
  play.sse();
  send_pieces(random_, play, events.opening());
  const uint64_t silences = random_.one_in(6) ? 40 : random_.below(3);
  for (uint64_t i = 0; i < silences; ++i) play.wait(5 * kSecond).send(events.silence());
  if (random_.one_in(8)) {
    break_off(random_, play);
    return;
  }
  if (random_.one_in(10)) {
    play.send(events.failure()).finish();
    script.complete = script.failed = true;
    return;
  }
  play.wait(random_.below(20'000) * kMs);
  std::string text = events.start();
  for (uint64_t i = random_.below(12); i > 0; --i) {
    const std::string piece(random_.one_in(20) ? 90'000 : random_.span(1, 3000),
                            static_cast<char>('a' + random_.below(26)));
    script.text += piece;
    text += events.delta(piece);
  }
  if (random_.one_in(5)) {
    send_pieces(random_, play, text.substr(0, random_.span(1, text.size())));
    break_off(random_, play);
    return;
  }
  script.failed = random_.one_in(6);
  script.complete = true;
  text += script.failed ? events.failure() : events.finish();
  send_pieces(random_, play, text);
  if (!random_.one_in(10)) play.finish();  // else the end of the stream never comes
}

Play Chaos::make_play(const Seen& seen) {
  Script script;
  const size_t at = seen.body.find("trace-");
  REQUIRE(at != std::string::npos);
  script.trace = seen.body.substr(at, seen.body.find('"', at) - at);
  script.tier = seen.tier;
  VendorEvents events(seen.provider, seen.tier, std::to_string(scripts_.size()));
  Play play;
  if (random_.one_in(4)) play.wait(random_.below(8000) * kMs);
  if (random_.one_in(15)) {
    play.reset(random_.one_in(2) ? kRefusedCode : kInternalCode);
  } else if (random_.one_in(6)) {
    play_error(play, script);
  } else if (random_.one_in(15)) {
    script.body = std::array{"", "<html>", "{\"cut", "[]"}[random_.below(4)];
    script.is_odd = true;
    play.json(200, script.body);
  } else if (seen.streamed && !random_.one_in(12)) {
    play_stream(play, events, script);
  } else {
    const std::string object = events.object();
    script.text = "Hi";
    script.complete = !random_.one_in(6);
    play.head(200, {{"content-type", "application/json"}});
    send_pieces(random_, play, script.complete ? object : object.substr(0, object.size() - 1));
    script.complete ? play.finish() : play.reset(kInternalCode);
  }
  scripts_.push_back(std::move(script));
  return play;
}

void Chaos::one_client() {
  const std::vector<Pair> pairs = every_pair();
  Ask ask;
  ask.trace = "trace-" + std::to_string(asks_.size());
  ask.pair = pairs[random_.below(pairs.size())];
  ask.question.text = ask.trace;
  ask.question.stream = random_.one_in(2);
  if (ask.pair.races() && !random_.one_in(4)) {
    const uint64_t seconds = random_.span(5, 15);
    ask.question.start_within =
        "00h-00m-" + std::string(seconds < 10 ? "0" : "") + std::to_string(seconds) + "s";
  }
  Client& client = sim_.connect();
  ask.client = &client;
  const std::string all =
      sim_.post_to(path_of(ask.pair.dialect), request_of(ask.pair, ask.question),
                   "X-Request-Id: " + ask.trace + "\r\n");
  const uint64_t begin_ns = sim_.world.now_ns() + random_.below(3000) * kMs;
  uint64_t at_ns = begin_ns;
  for (size_t at = 0; at < all.size();) {
    const size_t size = random_.one_in(2) ? all.size() : random_.span(1, 300);
    const std::string piece = all.substr(at, size);
    sim_.world.at(at_ns, [&client, piece] { client.send(piece); });
    at += size;
    at_ns += random_.below(200) * kMs;
  }
  ask.left = random_.one_in(5);
  if (ask.left) {
    const bool reset = random_.one_in(2);
    sim_.world.at(begin_ns + random_.below(60'000) * kMs,
                  [&client, reset] { reset ? client.abort() : client.close(); });
  } else if (random_.one_in(4)) {
    const uint64_t pause_ns = begin_ns + random_.below(20'000) * kMs;
    sim_.world.at(pause_ns, [&client] { client.pause(); });
    sim_.world.at(pause_ns + random_.below(20'000) * kMs, [&client] { client.resume(); });
  }
  asks_.push_back(ask);
}

bool Chaos::said_whole(const Ask& ask, const Reply& reply, const std::string& text) const {
  for (const Script& script : scripts_) {
    if (script.trace == ask.trace && script.tier == reply.tier() && script.complete &&
        !script.failed && script.text == text) {
      return true;
    }
  }
  return false;
}

bool Chaos::failed_itself(const Ask& ask, const Reply& reply) const {
  for (const Script& script : scripts_) {
    if (script.trace == ask.trace && script.tier == reply.tier() && script.failed) return true;
  }
  return false;
}

void Chaos::judge_stream(const Ask& ask, const Reply& reply) {
  CHECK(ask.question.stream);
  if (!reply.whole) {
    // Broken off, for everybody to see. Had it been said to be good, something would be lost.
    return;
  }
  const Terminals ends = terminals_of(ask.pair.dialect, reply.body);
  CHECK(ends.good + ends.bad == 1);
  CHECK(ends.at_end);
  if (ends.good == 1) {
    const Said said = said_in(ask.pair.dialect, true, reply.body);
    CHECK(said_whole(ask, reply, said.text));
  } else if (ends.failure.find("\"upstream_") == std::string::npos) {
    CHECK(failed_itself(ask, reply));
  }
}

void Chaos::judge_body(const Ask& ask, const Reply& reply) {
  if (!reply.whole) return;
  if (reply.status == 200) {
    const size_t begin = reply.body.find_first_not_of(' ');
    const std::string body = begin == std::string::npos ? "" : reply.body.substr(begin);
    // Of its own dialect, what a provider says goes by as it is.
    const bool verbatim = std::any_of(scripts_.begin(), scripts_.end(), [&](const Script& s) {
      return s.trace == ask.trace && !ask.pair.is_translated() && s.is_odd && s.body == body;
    });
    if (verbatim) return;
    CHECK((!ask.question.stream || !ask.pair.is_translated()));
    CHECK(said_whole(ask, reply, said_in(ask.pair.dialect, false, body).text));
    return;
  }
  const json::Value error = json::Value{reply.body}["error"];
  if (error["doc_url"].exists()) return;  // the gateway's own
  const bool told = std::any_of(scripts_.begin(), scripts_.end(), [&](const Script& s) {
    return s.trace == ask.trace && s.tier == reply.tier() && s.status == reply.status &&
           s.body == reply.body;
  });
  CHECK((told || failed_itself(ask, reply)));
}

void Chaos::judge(const Ask& ask) {
  const Reply& reply = ask.client->reply();
  CAPTURE(ask.trace);
  CAPTURE(ask.pair.name());
  CAPTURE(ask.question.start_within);
  CAPTURE(ask.question.stream);
  CAPTURE(reply.status);
  const std::string shown = reply.body.substr(0, 3000);
  CAPTURE(shown);
  CHECK(!ask.client->broken());
  const std::string outcome = json_text(sim_.line_of(ask.trace), "outcome");
  const bool may_be_cut =
      harmful_ || ask.left || outcome == "stream_failed" || outcome == "provider_error";
  CHECK((reply.whole || may_be_cut));
  if (reply.status == 0) return;
  CHECK(reply.field("x-flexinference-request-id") == ask.trace);
  if (reply.field("content-type").starts_with("text/event-stream")) {
    judge_stream(ask, reply);
  } else {
    judge_body(ask, reply);
  }
}

void Chaos::run() {
  for (size_t i = random_.span(2, 7); i > 0; --i) one_client();
  const bool done = sim_.run_until_true(
      [this] {
        return std::all_of(asks_.begin(), asks_.end(), [](const Ask& ask) {
          return ask.client->is_closed() || ask.client->whole_replies() > 0;
        });
      },
      1200 * kSecond);
  CHECK(done);
  sim_.run(10 * kSecond);
  for (const Ask& ask : asks_) judge(ask);
  CHECK(sim_.provider.open_streams() == 0);
  CHECK(sim_.race_slots_in_use() == 0);
  CHECK(sim_.metrics.value(metrics::Gauge::races_in_flight) == 0);
  sim_.shut_down();
  std::map<std::string, size_t> ended;
  for (const std::string& line : sim_.lines()) ++ended[json_text(line, "request_id")];
  for (const auto& [id, count] : ended) CHECK(count == 1);
  CHECK(sim_.requests_total() == sim_.lines().size());
}

}  // namespace

TEST_CASE("random dialects: harmless faults of the network") {
  for_each_seed(kEveryday, [](uint64_t seed) { Chaos(seed, false).run(); });
}

TEST_CASE("random dialects: connections that break") {
  for_each_seed(kEveryday, [](uint64_t seed) { Chaos(seed, true).run(); });
}
