// Random scenarios: several clients, many requests, providers that do whatever they like, a network
// with faults. Whatever happens, some things always hold; a failing seed is printed.
//
//   FLEXD_SIM_SEEDS=N   tries N seeds instead of the everyday number
//   FLEXD_SIM_SEED=S    tries the one seed S
#include <doctest/doctest.h>

#include <map>

#include "chaos.hpp"
#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// Script is what the provider did with one request, for the judge.
struct Script {
  std::string trace;
  std::string tier;
  std::string sent;          // the whole body
  std::string final_object;  // what a caller gets that does not stream
  unsigned status = 200;
  bool is_stream = false;
  bool complete = false;  // ends as it should
};

// Ask is one request and what its client did.
struct Ask {
  std::string trace;
  bool race = false;
  bool stream = false;
  Client* client = nullptr;
  size_t index = 0;  // of the client's replies
  bool left = false;
  bool paused = false;
};

class Chaos {
 public:
  Chaos(uint64_t seed, bool harmful);
  void run();

 private:
  static SimOptions options_of(uint64_t seed);
  Play make_play(const Seen& seen);
  void play_stream(Play& play, Events& events, Script& script);
  void play_error(Play& play, Script& script);
  void one_client(size_t number);
  std::string request_of(Ask& ask);
  void judge(const Ask& ask);
  void judge_stream(const Ask& ask, const Reply& reply);
  void judge_body(const Ask& ask, const Reply& reply);
  bool is_own_error(const Reply& reply) const;
  // A reset overtakes what a client that does not read has not read.
  bool may_be_cut(const Ask& ask) const { return harmful_ || ask.left || ask.paused; }
  // was_aborted: by its own account the gateway cut the connection, because a failure could not be
  // told any more.
  bool was_aborted(const Ask& ask) {
    const std::string outcome = json_text(sim_.line_of(ask.trace), "outcome");
    return outcome == "stream_failed" || outcome == "provider_error";
  }
  void check_log();

  Random random_;
  bool harmful_;
  Sim sim_;
  std::vector<Script> scripts_;
  std::vector<Ask> asks_;
  size_t next_id_ = 0;
};

SimOptions Chaos::options_of(uint64_t seed) {
  Random random(seed ^ 0x5eed);
  SimOptions options;
  options.seed = seed;
  if (random.one_in(3)) options.settings.race = config::RaceMode::sequential;
  if (random.one_in(3)) options.settings.standard_lead_ns = random.span(1, 5) * kSecond;
  if (random.one_in(4)) options.settings.standard_lead_auto = true;
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
  script.status = std::array{400U, 401U, 409U, 429U, 500U, 503U}[random_.below(6)];
  const std::string code =
      std::array{"flex_unavailable", "conversation_locked", "x"}[random_.below(3)];
  script.sent = R"({"error":{"message":"no","type":"t","param":null,"code":")" + code +
                "\"},\"pad\":\"" + std::string(random_.below(20'000), 'p') + "\"}";
  script.complete = true;
  play.head(script.status, {{"content-type", "application/json"}});
  send_pieces(random_, play, script.sent);
  if (random_.one_in(6)) {
    script.complete = false;
    play.reset(kInternalCode);
  } else {
    play.finish();
  }
}

void Chaos::play_stream(Play& play, Events& events, Script& script) {
  script.is_stream = true;
  play.sse();
  std::string text = events.created();
  if (random_.one_in(2)) {
    text += events.queued();
    send_pieces(random_, play, text);
    const uint64_t keepalives = random_.one_in(5) ? 40 : random_.below(4);
    for (uint64_t i = 0; i < keepalives; ++i) {
      play.wait(5 * kSecond).send(events.keepalive());
    }
    text.clear();
  }
  text += events.in_progress();
  if (random_.one_in(8)) {
    send_pieces(random_, play, text);
    break_off(random_, play);
    return;
  }
  if (random_.one_in(8)) {
    text += events.failed(R"({"code":"server_error","message":"early"})");
    send_pieces(random_, play, text);
    play.finish();
    script.complete = true;
    script.final_object = R"({"error":{"code":"server_error","message":"early"}})";
    return;
  }
  send_pieces(random_, play, text);
  play.wait(random_.below(20'000) * kMs);
  text = events.item();
  const uint64_t deltas = random_.below(12);
  for (uint64_t i = 0; i < deltas; ++i) {
    text += events.delta(std::string(random_.one_in(20) ? 90'000 : random_.below(3000), 'd'));
  }
  if (random_.one_in(6)) {
    send_pieces(random_, play, text.substr(0, random_.span(1, text.size())));
    break_off(random_, play);
    return;
  }
  script.complete = true;
  if (random_.one_in(6)) {
    text += events.failed(R"({"code":"rate_limit_exceeded","message":"late"})");
    script.final_object = R"({"error":{"code":"rate_limit_exceeded","message":"late"}})";
  } else {
    script.final_object = events.final_object();
    text += events.completed();
  }
  send_pieces(random_, play, text);
  if (!random_.one_in(10)) play.finish();  // else the end of the stream never comes
}

Play Chaos::make_play(const Seen& seen) {
  Script script;
  script.trace = seen.trace;
  script.tier = seen.tier;
  Play play;
  if (random_.one_in(4)) play.wait(random_.below(8000) * kMs);
  if (random_.one_in(12)) {
    play.reset(random_.one_in(2) ? kRefusedCode : kInternalCode);
  } else if (random_.one_in(25)) {
    play.goaway();
  } else if (random_.one_in(5)) {
    play_error(play, script);
  } else if (seen.streamed) {
    Events events(seen.tier, "resp_" + std::to_string(++next_id_));
    play_stream(play, events, script);
    script.sent = play.sent();
  } else {
    script.sent = R"({"id":"resp_)" + std::to_string(++next_id_) + R"(","pad":")" +
                  std::string(random_.below(50'000), 'j') + "\"}";
    script.complete = true;
    play.head(200, {{"content-type", "application/json"}});
    send_pieces(random_, play, script.sent);
    play.finish();
  }
  scripts_.push_back(std::move(script));
  return play;
}

std::string Chaos::request_of(Ask& ask) {
  ask.trace = "t" + std::to_string(asks_.size());
  ask.race = !random_.one_in(4);
  ask.stream = random_.one_in(2);
  const std::string input = "trace:" + ask.trace;
  std::string text;
  if (ask.race) {
    text = race_body(static_cast<unsigned>(random_.span(5, 15)), ask.stream, input);
    if (random_.one_in(6)) text.insert(1, R"("conversation":"conv_1",)");
  } else {
    text =
        body(std::string(R"("start_within":"default")") + (ask.stream ? R"(,"stream":true)" : ""),
             input);
  }
  return sim_.post(text, "X-Request-Id: " + ask.trace + "\r\n");
}

// one_client sends some requests one after the other, and may leave at any time.
void Chaos::one_client(size_t /*number*/) {
  Client& client = sim_.connect();
  const size_t requests = random_.span(1, 3);
  std::string all;
  for (size_t i = 0; i < requests; ++i) {
    Ask ask;
    ask.client = &client;
    ask.index = i;
    all += request_of(ask);
    asks_.push_back(ask);
  }
  // Pipelined, in pieces or at once.
  const uint64_t begin_ns = sim_.world.now_ns() + random_.below(3000) * kMs;
  uint64_t at_ns = begin_ns;
  for (size_t at = 0; at < all.size();) {
    const size_t size = random_.one_in(2) ? all.size() : random_.span(1, 300);
    const std::string piece = all.substr(at, size);
    sim_.world.at(at_ns, [&client, piece] { client.send(piece); });
    at += size;
    at_ns += random_.below(200) * kMs;
  }
  const bool leaves = random_.one_in(4);
  const bool pauses = !leaves && random_.one_in(4);
  for (Ask& ask : asks_) {
    if (ask.client != &client) continue;
    ask.left = leaves;
    ask.paused = pauses;
  }
  if (leaves) {
    const bool reset = random_.one_in(2);
    sim_.world.at(begin_ns + random_.below(60'000) * kMs,
                  [&client, reset] { reset ? client.abort() : client.close(); });
  } else if (pauses) {
    const uint64_t pause_ns = begin_ns + random_.below(20'000) * kMs;
    sim_.world.at(pause_ns, [&client] { client.pause(); });
    sim_.world.at(pause_ns + random_.below(20'000) * kMs, [&client] { client.resume(); });
  }
}

bool Chaos::is_own_error(const Reply& reply) const {
  return reply.status >= 400 && reply.whole && reply.body.starts_with(R"({"error":{"message":")") &&
         reply.body.find("\"doc_url\":") != std::string::npos && reply.body.ends_with("}}") &&
         !reply.code().empty();
}

// judge_stream: what was relayed is the beginning of what one attempt sent, and all of it if
// nothing of flexd's own follows.
void Chaos::judge_stream(const Ask& ask, const Reply& reply) {
  std::string text = reply.body;
  const std::string comment = ": keep-alive\n\n";
  for (size_t at = text.find(comment); at != std::string::npos; at = text.find(comment, at)) {
    text.erase(at, comment.size());
  }
  bool own_end = false;
  const size_t last = text.rfind("event: response.failed\n");
  if (last != std::string::npos && text.find("\"code\":\"upstream_", last) != std::string::npos) {
    own_end = true;
    CHECK(text.ends_with("}\n\n"));
    text.resize(last);
  }
  size_t explained = 0;
  for (const Script& script : scripts_) {
    if (script.trace != ask.trace || script.tier != reply.tier() || !script.is_stream) continue;
    const bool whole = reply.whole && !own_end;
    if (whole ? script.sent == text && script.complete : script.sent.starts_with(text)) {
      ++explained;
    }
  }
  if (explained == 0) CAPTURE(reply.body.substr(0, 2000));
  CHECK(explained >= 1);
  if (!text.empty() && text.size() > 200) CHECK(explained == 1);
}

// judge_body: a whole body is exactly what one attempt said.
void Chaos::judge_body(const Ask& ask, const Reply& reply) {
  const size_t begin = reply.body.find_first_not_of(' ');
  const std::string text = begin == std::string::npos ? "" : reply.body.substr(begin);
  size_t explained = 0;
  for (const Script& script : scripts_) {
    if (script.trace != ask.trace || script.tier != reply.tier()) continue;
    const bool folded = script.is_stream && script.complete;
    if (!reply.whole) {
      explained += script.sent.starts_with(text) || script.final_object.starts_with(text) ? 1 : 0;
    } else if (folded ? script.final_object == text
                      : script.sent == text && script.status == reply.status && script.complete) {
      ++explained;
    }
  }
  if (explained == 0) CAPTURE(reply.body.substr(0, 2000));
  CHECK(explained >= 1);
}

void Chaos::judge(const Ask& ask) {
  const Reply& reply = ask.client->reply(ask.index);
  CAPTURE(ask.trace);
  CAPTURE(ask.race);
  CAPTURE(ask.stream);
  CAPTURE(reply.status);
  CHECK(!ask.client->broken());
  if (reply.status == 0) {
    // An earlier answer on the connection may have been cut.
    bool cut = false;
    for (size_t i = 0; i < ask.index; ++i) cut = cut || !ask.client->reply(i).whole;
    CHECK((cut || may_be_cut(ask) || was_aborted(ask)));
    return;
  }
  CHECK((reply.whole || may_be_cut(ask) || was_aborted(ask)));
  CHECK(reply.field("x-flexinference-request-id") == ask.trace);
  if (is_own_error(reply)) return;
  // An own error that the network cut has no body to be judged by.
  if (!reply.whole && may_be_cut(ask) && !json_text(sim_.line_of(ask.trace), "code").empty())
    return;
  CHECK(reply.has("x-flexinference-routing-reason"));
  CHECK((reply.reason() == "tier_direct") == !ask.race);
  if (reply.field("content-type").starts_with("text/event-stream")) {
    CHECK(ask.stream);
    judge_stream(ask, reply);
  } else {
    judge_body(ask, reply);
  }
}

// check_log: every request ended exactly once, and the counters say the same as the lines.
void Chaos::check_log() {
  std::map<std::string, size_t> ended;
  std::map<std::string, uint64_t> outcomes;
  for (const std::string& line : sim_.lines()) {
    ++ended[json_text(line, "request_id")];
    ++outcomes[json_text(line, "outcome") + " " + json_text(line, "routing_reason")];
  }
  for (const auto& [id, count] : ended) {
    CAPTURE(id);
    CHECK(count == 1);
  }
  CHECK(sim_.requests_total() == sim_.lines().size());
  for (size_t outcome = 0; outcome < metrics::kOutcomes.size(); ++outcome) {
    for (size_t reason = 0; reason < metrics::kReasons.size(); ++reason) {
      const std::string word = reason + 1 == metrics::kReasons.size()
                                   ? std::string()
                                   : std::string(metrics::kReasons[reason]);
      const std::string name = std::string(metrics::kOutcomes[outcome]) + " " + word;
      CAPTURE(name);
      CHECK(sim_.requests(static_cast<metrics::Outcome>(outcome),
                          static_cast<metrics::Reason>(reason)) == outcomes[name]);
    }
  }
  for (const Ask& ask : asks_) {
    if (ask.client->reply(ask.index).status != 0) CHECK(ended[ask.trace] == 1);
  }
}

void Chaos::run() {
  const size_t clients = random_.span(2, 7);
  for (size_t i = 0; i < clients; ++i) one_client(i);
  const bool done = sim_.run_until_true(
      [this] {
        for (const Ask& ask : asks_) {
          if (!ask.client->is_closed() && ask.client->whole_replies() <= ask.index) return false;
        }
        return true;
      },
      1200 * kSecond);
  CHECK(done);
  sim_.run(10 * kSecond);
  for (const Ask& ask : asks_) judge(ask);
  // Every caller has its answer or has left: no attempt is open any more.
  CHECK(sim_.provider.open_streams() == 0);
  CHECK(sim_.race_slots_in_use() == 0);
  CHECK(sim_.metrics.value(metrics::Gauge::races_in_flight) == 0);
  // Each attempt ended in one way. Some were given up before the provider saw them.
  CHECK(sim_.attempts_total() >= sim_.provider.seen().size());
  CHECK(sim_.attempts(metrics::AttemptResult::answered) +
            sim_.attempts(metrics::AttemptResult::refused) <=
        sim_.provider.seen().size());
  sim_.shut_down();
  check_log();
}

void try_seeds(bool harmful) {
  for_each_seed(kEveryday, [harmful](uint64_t seed) { Chaos(seed, harmful).run(); });
}

}  // namespace

TEST_CASE("random: harmless faults of the network change nothing") {
  try_seeds(false);
}

TEST_CASE("random: connections that break") {
  try_seeds(true);
}

TEST_CASE("random: a run is a function of its seed") {
  const auto hash_of = [](uint64_t seed) {
    Sim sim([&] {
      SimOptions options;
      options.seed = seed;
      return options;
    }());
    sim.world.faults() = io::sim::Faults::harmless(0.1);
    Events events("flex");
    sim.provider.flex_play.sse().send(events.whole()).finish();
    sim.ask(race_body(10, true));
    return sim.world.hash();
  };
  CHECK(hash_of(7) == hash_of(7));
  CHECK(hash_of(7) != hash_of(8));
}
