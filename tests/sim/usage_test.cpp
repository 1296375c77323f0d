// What a request counts as, however it ends: the row of usage, the cost, the field that tells it.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "dialects.hpp"
#include "flexd/account/prices.hpp"
#include "flexd/account/usage.hpp"
#include "harness.hpp"
#include "vendor_events.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// Nano-dollars of VendorEvents' seven tokens in and three out, at kPrices.
constexpr int64_t kStandardNanos = 31'000;
constexpr int64_t kFlexNanos = 15'500;
constexpr std::string_view kPrices =
    "as-of 2026-11-21\n"
    "gpt-5.4 standard 1000000 100000 - 8000000\n"
    "gpt-5.4 flex 500000 50000 - 4000000\n"
    "gemini-3.5-flash standard 1000000 100000 - 8000000\n"
    "gemini-3.5-flash flex 500000 50000 - 4000000\n"
    "claude-sonnet-4-5 standard 1000000 100000 1250000 8000000\n";

struct Rig {
  explicit Rig(const SimOptions& options = three_providers()) : sim(options) {
    sim.shared.prices = &prices;
  }
  void play(const Play& one) {
    sim.provider.choose = [one](const Seen&) { return one; };
  }
  // rows ends the counting.
  std::vector<store::UsageRow> rows() {
    std::vector<store::UsageRow> found;
    const auto table = sim.worker->take_usage();
    REQUIRE(table != nullptr);
    table->take(found, uses);
    return found;
  }
  store::UsageRow row() {
    const auto all = rows();
    REQUIRE(all.size() == 1);
    CHECK(all.front().organization == account::kDevNumber);
    CHECK(all.front().key == account::kDevNumber);
    CHECK(all.front().counts.requests == 1);
    CHECK(all.front().day != 0);
    return all.front();
  }

  account::Prices prices = account::Prices::parse(kPrices).value();
  std::vector<store::KeyUse> uses;
  Sim sim;
};

// words are what a row tells apart, for one comparison.
std::string words(const store::UsageRow& row) {
  return row.model + " " + row.provider + " " + row.tier_asked + " " + row.tier_served + " " +
         row.reason;
}

void check_tokens(const store::UsageRow& row, int64_t cost_nanos) {
  CHECK(row.counts.input_tokens == 7);
  CHECK(row.counts.output_tokens == 3);
  CHECK(row.counts.cost_nanos == cost_nanos);
  CHECK(row.counts.standard_nanos == kStandardNanos);
  CHECK(row.counts.unpriced == 0);
  CHECK(row.counts.errors == 0);
  CHECK(row.counts.client_closed == 0);
}

void check_no_tokens(const store::UsageRow& row) {
  CHECK(row.counts.input_tokens == 0);
  CHECK(row.counts.output_tokens == 0);
  CHECK(row.counts.cost_nanos == 0);
  CHECK(row.counts.standard_nanos == 0);
  CHECK(row.counts.unpriced == 0);
}

}  // namespace

TEST_CASE("usage: every dialect at every provider, streamed or not") {
  for (const Pair pair : every_pair()) {
    for (const bool stream : {false, true}) {
      CAPTURE(pair.name());
      CAPTURE(stream);
      Rig rig;
      const std::string tier = pair.provider == Vendor::openai ? "default" : "standard";
      VendorEvents events(pair.provider, tier);
      Play play;
      if (stream) {
        play.sse().send(events.whole()).finish();
      } else {
        play.json(200, events.object());
      }
      rig.play(play);
      const Reply& reply = ask(rig.sim, pair, {.stream = stream});
      CHECK(reply.status == 200);
      // Only what is made as a whole has it before its head.
      const bool whole = !stream && pair.is_translated();
      CHECK(reply.field("x-flexinference-cost") == (whole ? "0.000031" : ""));
      const store::UsageRow row = rig.row();
      CHECK(words(row) == model_of(pair.provider) + " " +
                              std::string(errors::provider_word(pair.provider)) + " default " +
                              tier + " tier_direct");
      check_tokens(row, kStandardNanos);
      CHECK(row.counts.drawn_nanos == 0);
      REQUIRE(rig.uses.size() == 1);
      CHECK(rig.uses.front().requests == 1);
      CHECK(rig.uses.front().nanos == kStandardNanos);
      CHECK(rig.uses.front().last_used_at_s != 0);
    }
  }
}

TEST_CASE("usage: a race that flex has won costs what flex costs") {
  for (const bool stream : {false, true}) {
    Rig rig;
    VendorEvents events(Vendor::openai, "flex");
    rig.play(Play().sse().send(events.whole()).finish());
    const Reply& reply = rig.sim.ask(race_body(30, stream));
    CHECK(reply.reason() == "flex_won");
    // All of it was there when it was decided, streamed or not.
    CHECK(reply.field("x-flexinference-cost") == "0.0000155");
    const store::UsageRow row = rig.row();
    CHECK(words(row) == "gpt-5.4 openai flex flex flex_won");
    check_tokens(row, kFlexNanos);
  }
}

TEST_CASE("usage: flex that was not in time, and flex without capacity") {
  Rig late;
  VendorEvents standard(Vendor::gemini, "standard");
  VendorEvents flex(Vendor::gemini, "flex");
  const std::string opening = flex.opening();
  const std::string whole = standard.whole();
  late.sim.provider.choose = [&](const Seen& seen) {
    if (seen.tier == "flex") return Play().sse().send(opening).wait(1000 * kSecond);
    return Play().sse().send(whole).finish();
  };
  constexpr Pair kGemini{Dialect::interactions, Vendor::gemini};
  CHECK(ask(late.sim, kGemini, {.start_within = std::string(kDuration)}).reason() ==
        "flex_deadline");
  const store::UsageRow row = late.row();
  CHECK(words(row) == "gemini-3.5-flash gemini flex standard flex_deadline");
  check_tokens(row, kStandardNanos);
  // Gemini may charge for the attempt that was given up.
  CHECK(row.counts.possible_double_bills == 1);
  CHECK(late.sim.possible_double_bills(Vendor::gemini) == 1);

  Rig full;
  VendorEvents served(Vendor::openai, "default");
  full.sim.provider.flex_play.json(429, R"({"error":{"code":"flex_unavailable"}})");
  full.sim.provider.standard_play.sse().send(served.whole()).finish();
  CHECK(full.sim.ask(race_body(30, false)).reason() == "flex_capacity");
  const store::UsageRow other = full.row();
  CHECK(words(other) == "gpt-5.4 openai flex default flex_capacity");
  check_tokens(other, kStandardNanos);
  CHECK(other.counts.possible_double_bills == 0);
}

TEST_CASE("usage: what counts is the tier that the provider reports") {
  Rig rig;
  VendorEvents events(Vendor::openai, "default");
  rig.play(Play().json(200, events.object()));
  CHECK(rig.sim.ask(body(R"("start_within":"priority")")).status == 200);
  const store::UsageRow row = rig.row();
  CHECK(words(row) == "gpt-5.4 openai priority default tier_direct");
  check_tokens(row, kStandardNanos);
}

TEST_CASE("usage: tokens without a price are counted as such") {
  Rig rig;
  VendorEvents events(Vendor::openai, "priority");
  rig.play(Play().json(200, events.object()));
  rig.sim.ask(body(R"("start_within":"priority")"));
  const store::UsageRow row = rig.row();
  CHECK(words(row) == "gpt-5.4 openai priority priority tier_direct");
  CHECK(row.counts.unpriced == 1);
  CHECK(row.counts.input_tokens == 7);
  CHECK(row.counts.cost_nanos == 0);
  CHECK(row.counts.standard_nanos == 0);
  CHECK(rig.sim.metrics.value(metrics::Counter::list_cost_nanodollars) == 0);
  // A budget in dollars is not passed by: it is charged what standard costs.
  REQUIRE(rig.uses.size() == 1);
  CHECK(rig.uses.front().nanos == kStandardNanos);
}

TEST_CASE("usage: a tier that flexd does not know is charged like standard") {
  Rig rig;
  VendorEvents events(Vendor::openai, "scale");
  rig.play(Play().json(200, events.object()));
  rig.sim.ask(body(R"("start_within":"default")"));
  const store::UsageRow row = rig.row();
  CHECK(row.counts.unpriced == 1);
  CHECK(rig.uses.front().nanos == kStandardNanos);
}

TEST_CASE("usage: errors, flexd's own and a provider's") {
  Rig rig;
  VendorEvents events(Vendor::openai);
  rig.play(Play().json(400, R"({"error":{"message":"no"},"usage":{"input_tokens":9}})"));
  CHECK(rig.sim.ask(body("")).status == 400);  // no start_within
  CHECK(rig.sim.ask("{").status == 400);
  CHECK(rig.sim.ask(body(R"("start_within":"default")")).status == 400);
  CHECK(rig.sim.ask(R"({"model":"made-up-1","start_within":"default","input":"x"})").status == 400);
  const auto rows = rig.rows();
  REQUIRE(rows.size() == 4);
  std::vector<std::string> found;
  for (const store::UsageRow& row : rows) {
    found.push_back(words(row));
    CHECK(row.counts.errors == 1);
    check_no_tokens(row);
  }
  CHECK(found == std::vector<std::string>{"gpt-5.4    ", "    ",
                                          "gpt-5.4 openai default default tier_direct",
                                          "(other) openai default default tier_direct"});
  // Only what went to a provider counts against a budget of requests.
  REQUIRE(rig.uses.size() == 1);
  CHECK(rig.uses.front().requests == 2);
}

TEST_CASE("usage: a name that a provider answers to is kept") {
  Rig rig;
  VendorEvents events(Vendor::openai, "default");
  rig.play(Play().json(200, events.object()));
  rig.sim.ask(R"({"model":"made-up-1","start_within":"default","input":"x"})");
  const store::UsageRow row = rig.row();
  CHECK(words(row) == "made-up-1 openai default default tier_direct");
  CHECK(row.counts.unpriced == 1);
  CHECK(rig.uses.front().nanos == 0);  // of what has no price nothing can be charged
}

TEST_CASE("usage: what breaks off once it has proved its work may be billed beside the answer") {
  // Before the race hears of the start: in the same bytes is an event that cannot be translated.
  struct Attempt {
    bool started;
    int64_t double_bills;
  };
  for (const Attempt& one : {Attempt{false, 0}, Attempt{true, 1}}) {
    CAPTURE(one.started);
    Rig rig;
    VendorEvents flex(Vendor::openai, "flex");
    VendorEvents standard(Vendor::openai, "default");
    std::string text = flex.opening();
    if (one.started) text += flex.start();
    text += "event: response.output_text.delta\ndata: {\"type\":\n\n";
    rig.sim.provider.flex_play.sse().send(text).finish();
    rig.sim.provider.standard_play.sse().send(standard.whole()).finish();
    constexpr Pair kChat{Dialect::chat, Vendor::openai};
    const Reply& reply =
        ask(rig.sim, kChat, {.start_within = std::string(kDuration), .stream = true});
    CHECK(reply.reason() == "flex_not_started");
    CHECK(reply.tier() == "default");
    const store::UsageRow row = rig.row();
    check_tokens(row, kStandardNanos);
    CHECK(row.counts.possible_double_bills == one.double_bills);
  }
}

TEST_CASE("usage: a stream that is cut has no cost, at no provider") {
  for (const Vendor provider : kProviders) {
    CAPTURE(static_cast<int>(provider));
    Rig rig;
    VendorEvents events(provider);
    rig.play(Play().sse().send(events.begun()).wait(kSecond).reset(kInternalCode));
    const Pair pair{provider == Vendor::openai   ? Dialect::responses
                    : provider == Vendor::gemini ? Dialect::interactions
                                                 : Dialect::messages,
                    provider};
    ask(rig.sim, pair, {.stream = true});
    const store::UsageRow row = rig.row();
    CHECK(row.counts.errors == 1);
    CHECK(row.reason == "tier_direct");
    check_no_tokens(row);
  }
}

TEST_CASE("usage: a caller that leaves is no error") {
  // Before anybody has won, in the middle of an answer, and after its last event: then it has been
  // answered.
  struct Stage {
    uint64_t leave_ns;
    std::string reason;
    int64_t double_bills;
    bool answered;
  };
  for (const Stage& stage :
       {Stage{2 * kSecond, "", 1, false}, Stage{7 * kSecond, "flex_won", 1, false},
        Stage{12 * kSecond, "flex_won", 0, true}}) {
    CAPTURE(stage.leave_ns);
    Rig rig;
    VendorEvents events(Vendor::gemini, "flex");
    Play play;
    play.sse().send(events.opening()).wait(5 * kSecond).send(events.start());
    play.wait(5 * kSecond).send(events.delta("Hi") + events.finish()).wait(1000 * kSecond);
    rig.play(play);
    constexpr Pair kGemini{Dialect::interactions, Vendor::gemini};
    Client& client =
        send(rig.sim, kGemini, {.start_within = std::string(kDuration), .stream = true});
    rig.sim.run(stage.leave_ns);
    client.abort();
    rig.sim.run(20 * kMs);
    const store::UsageRow row = rig.row();
    CHECK(row.counts.client_closed == (stage.answered ? 0 : 1));
    CHECK(row.counts.errors == 0);
    CHECK(row.reason == stage.reason);
    CHECK(row.counts.possible_double_bills == stage.double_bills);
    if (stage.answered) {
      check_tokens(row, kFlexNanos);
    } else {
      check_no_tokens(row);
    }
  }
}

TEST_CASE("usage: a caller that leaves at the last event has been answered") {
  // What was sent by then, without the end of the stream; what counts, by either way of leaving.
  struct Ending {
    std::string text;
    std::string outcome;
    std::string model;
    metrics::AttemptResult attempt;
  };
  VendorEvents events(Vendor::openai, "default");
  const std::string whole = events.whole();
  VendorEvents failing(Vendor::openai, "default");
  std::string failed = failing.begun();
  failed += failing.failure();
  using enum metrics::AttemptResult;
  for (const Ending& ending :
       {Ending{whole, "ok", "made-up-1", answered},
        Ending{whole.substr(0, whole.size() - 1), "client_closed", "(other)", cancelled},
        Ending{failed, "provider_error", "(other)", answered}}) {
    for (const bool reset : {false, true}) {
      CAPTURE(ending.outcome);
      CAPTURE(reset);
      Rig rig;
      rig.play(Play().sse().send(ending.text).wait(1000 * kSecond));
      Client& client = rig.sim.send(
          R"({"model":"made-up-1","start_within":"default","stream":true,"input":"x"})");
      rig.sim.run(kSecond);
      reset ? client.abort() : client.close();
      rig.sim.run(20 * kMs);
      CHECK(json_text(rig.sim.last_line(), "outcome") == ending.outcome);
      CHECK(rig.sim.attempts_total() == 1);
      CHECK(rig.sim.attempts(ending.attempt) == 1);
      CHECK(rig.sim.provider.open_streams() == 0);
      const bool told = ending.outcome != "client_closed";
      const store::UsageRow row = rig.row();
      CHECK(row.model == ending.model);
      CHECK(row.counts.client_closed == (told ? 0 : 1));
      CHECK(row.counts.errors == (ending.outcome == "provider_error" ? 1 : 0));
    }
  }
}

TEST_CASE("usage: a request counts on the day and in the month in which it began") {
  SimOptions options = three_providers();
  options.world.start_unix_ms = 1'796'083'190'000;  // 2026-11-30T23:59:50Z
  Rig rig(options);
  VendorEvents events(Vendor::openai, "default");
  rig.play(Play().wait(30 * kSecond).json(200, events.object()));
  CHECK(rig.sim.ask(body(R"("start_within":"default")")).status == 200);
  REQUIRE(rig.sim.gateway().unix_ms() > 1'796'083'200'000);
  const auto rows = rig.rows();
  REQUIRE(rows.size() == 1);
  CHECK(rows.front().day == 20'787);
  REQUIRE(rig.uses.size() == 1);
  CHECK(rig.uses.front().month == 2026 * 12 + 10);
  CHECK(rig.uses.front().requests == 1);
  CHECK(rig.uses.front().nanos == kStandardNanos);
}

TEST_CASE("usage: what nobody is known for is nobody's") {
  Rig rig;
  Client& client = rig.sim.connect();
  client.send("POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
  CHECK(rig.sim.wait(client).status == 401);
  CHECK(rig.rows().empty());
}

TEST_CASE("usage: many requests of one kind are one row, and metrics have the sums") {
  Rig rig;
  VendorEvents events(Vendor::openai, "flex");
  rig.play(Play().sse().send(events.whole()).finish());
  for (int i = 0; i < 10; ++i) rig.sim.ask(race_body(30, i % 2 == 0));
  const auto rows = rig.rows();
  REQUIRE(rows.size() == 1);
  CHECK(rows.front().counts.requests == 10);
  CHECK(rows.front().counts.cost_nanos == 10 * kFlexNanos);
  const metrics::Core& core = rig.sim.metrics;
  CHECK(core.value(metrics::Counter::tokens, metrics::at(metrics::TokenKind::input)) == 70);
  CHECK(core.value(metrics::Counter::list_cost_nanodollars) == 10 * uint64_t{kFlexNanos});
  CHECK(core.value(metrics::Counter::saved_nanodollars) ==
        10 * uint64_t{kStandardNanos - kFlexNanos});
}

TEST_CASE("usage: a worker hands its table over for an empty one") {
  Rig rig;
  VendorEvents events(Vendor::openai, "default");
  rig.play(Play().json(200, events.object()));
  struct Office {
    bool takes = false;
    std::vector<account::UsageTable*> got;
  } office;
  rig.sim.worker->set_on_usage(
      [](void* self, account::UsageTable* table) {
        auto& to = *static_cast<Office*>(self);
        if (to.takes) to.got.push_back(table);
        return to.takes;
      },
      &office);
  account::UsageTable* const empty = new account::UsageTable();
  const auto mail = [&rig](account::UsageTable* table) {
    REQUIRE(rig.sim.gateway().post(
        {.kind = static_cast<uint32_t>(front::MailKind::usage), .pointer = table}));
    rig.sim.run(10 * kMs);
  };
  // Nothing was counted: the empty one waits.
  office.takes = true;
  mail(empty);
  CHECK(office.got.empty());
  // The control thread has no room for it now.
  rig.sim.ask(body(R"("start_within":"default")"));
  office.takes = false;
  mail(nullptr);
  CHECK(office.got.empty());
  rig.sim.ask(body(R"("start_within":"default")"));
  office.takes = true;
  mail(nullptr);
  REQUIRE(office.got.size() == 1);
  const std::unique_ptr<account::UsageTable> full(office.got.front());
  std::vector<store::UsageRow> rows;
  full->take(rows, rig.uses);
  REQUIRE(rows.size() == 1);
  CHECK(rows.front().counts.requests == 2);
  // From here on the worker counts in the other one, which is its own.
  rig.sim.ask(body(R"("start_within":"default")"));
  mail(nullptr);
  CHECK(office.got.size() == 1);
  const auto last = rig.sim.worker->take_usage();
  CHECK(last.get() == empty);
  rows.clear();
  last->take(rows, rig.uses);
  REQUIRE(rows.size() == 1);
  CHECK(rows.front().counts.requests == 1);
}
