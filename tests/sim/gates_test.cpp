// What a key, its organization and the operator allow: each refusal, its place among the others.
#include <doctest/doctest.h>

#include "accounts.hpp"
#include "flexd/account/prices.hpp"
#include "flexd/account/usage.hpp"
#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// Gate is a Sim with prices whose one key is what a test says.
struct Gate {
  explicit Gate(const SimOptions& options = {}) : sim(options) {
    office.serve(0, *sim.worker, sim.gateway());
    sim.shared.prices = &prices;
    sim.provider.standard_play.json(200, "{}");
    sim.provider.flex_play.sse().send(Events("flex").whole()).finish();
  }
  void publish() {
    office.publish(plan, sim.key());
    sim.run(kMs);
  }
  std::string code(std::string_view text) {
    const Reply& reply = sim.ask(text);
    return reply.status == 200 ? "200" : std::to_string(reply.status) + " " + reply.code();
  }
  std::string direct() { return code(body(R"("start_within":"default")")); }
  std::string race() { return code(race_body(10, true)); }

  account::Prices prices = account::Prices::built_in();
  Office office;
  Sim sim;
  Plan plan;
};

const std::string kDirect = R"("start_within":"default")";

std::string of_model(std::string_view model, std::string_view members) {
  return R"({"model":")" + std::string(model) + "\"," + std::string(members) +
         (members.empty() ? "" : ",") + R"("input":"Hello"})";
}

}  // namespace

TEST_CASE("gates: a key's ceiling") {
  Gate gate;
  gate.plan.key.requests_per_minute = 2;
  gate.publish();
  const uint64_t now_s = gate.sim.gateway().unix_ms() / 1000;
  const std::string reset = std::to_string(now_s + 60);
  // Beside a provider's answer the fields have names of their own.
  const Reply& first = gate.sim.ask(body(kDirect));
  CHECK(first.status == 200);
  CHECK(first.field("x-flexinference-ratelimit-limit-requests") == "2");
  CHECK(first.field("x-flexinference-ratelimit-remaining-requests") == "1");
  CHECK(first.field("x-flexinference-ratelimit-reset-requests") == reset);
  CHECK(!first.has("x-ratelimit-limit-requests"));
  // Requests that are refused further on count too.
  const Reply& second = gate.sim.ask(body(""));
  CHECK(second.code() == "missing_start_within");
  CHECK(second.field("x-ratelimit-limit-requests") == "2");
  CHECK(second.field("x-ratelimit-remaining-requests") == "0");
  CHECK(second.field("x-ratelimit-reset-requests") == reset);
  CHECK(!second.has("x-flexinference-ratelimit-limit-requests"));
  gate.sim.run(20 * kSecond);
  const Reply& third = gate.sim.ask(body(kDirect));
  CHECK(third.status == 429);
  CHECK(third.code() == "rate_limit_exceeded");
  CHECK(third.body.find("key") != std::string::npos);
  CHECK(third.field("retry-after") == "40");
  CHECK(third.field("x-ratelimit-remaining-requests") == "0");
  CHECK(third.field("x-ratelimit-reset-requests") == reset);
  CHECK(gate.sim.metrics.value(metrics::Counter::limited, metrics::at(metrics::Limit::key)) == 1);
  // A new snapshot resets nothing; time does.
  gate.publish();
  CHECK(gate.direct() == "429 rate_limit_exceeded");
  gate.sim.run(40 * kSecond);
  CHECK(gate.direct() == "200");
  // A key without a ceiling knows nothing of it.
  gate.plan.key.requests_per_minute = 0;
  gate.publish();
  const Reply& free = gate.sim.ask(body(kDirect));
  CHECK(!free.has("x-flexinference-ratelimit-limit-requests"));
  CHECK(!gate.sim.ask("{").has("x-ratelimit-limit-requests"));
}

TEST_CASE("gates: the organization's limit comes before the key's ceiling") {
  Gate gate;
  gate.plan.rate = {.per_second = 1, .burst = 1};
  gate.plan.key.requests_per_minute = 1;
  gate.publish();
  CHECK(gate.direct() == "200");
  const Reply& refused = gate.sim.ask(body(kDirect));
  CHECK(refused.status == 429);
  CHECK(refused.field("retry-after") == "5");
  CHECK(!refused.has("x-ratelimit-limit-requests"));
  // Both before the body is looked at.
  gate.sim.run(2 * kSecond);
  CHECK(gate.sim.ask("{").field("retry-after") == "58");
}

TEST_CASE("gates: a key that may not be used") {
  Gate gate;
  const uint64_t now_s = gate.sim.gateway().unix_ms() / 1000;
  gate.plan.key.expires_at_s = now_s + 10;
  gate.publish();
  CHECK(gate.direct() == "200");
  gate.sim.run(10 * kSecond);
  // Nobody has to be told that time passes.
  CHECK(gate.direct() == "401 expired_api_key");
  gate.plan.key.deactivated = true;
  gate.publish();
  CHECK(gate.direct() == "401 expired_api_key");
  gate.plan.key.expires_at_s = 0;
  gate.publish();
  CHECK(gate.direct() == "403 key_deactivated");
  gate.plan.key.kind = account::KeyKind::management;
  gate.publish();
  CHECK(gate.direct() == "403 wrong_key_type");
}

TEST_CASE("gates: a key's list of models stands between model and start_within") {
  Gate gate;
  gate.plan.key.models = {"gpt-5.4-mini", "o3*"};
  gate.publish();
  CHECK(gate.code(R"({"input":"x"})") == "400 missing_model");
  CHECK(gate.code(of_model("gpt-5.4", "")) == "403 model_not_allowed");
  CHECK(gate.code(of_model("gpt-5.4-mini", "")) == "400 missing_start_within");
  CHECK(gate.code(of_model("gpt-5.4-mini", kDirect)) == "200");
  CHECK(gate.code(of_model("o3-pro", kDirect)) == "200");
  CHECK(gate.code(of_model("o4-mini", kDirect)) == "403 model_not_allowed");
  CHECK(gate.code(of_model("gpt-5.4-mini-2026", kDirect)) == "403 model_not_allowed");
  const Reply& reply = gate.sim.ask(of_model("gpt-9", kDirect));
  CHECK(reply.body.find("gpt-9") != std::string::npos);
  CHECK(reply.body.find("o3") == std::string::npos);
  CHECK(json_text(reply.body, "param") == "model");
}

TEST_CASE("gates: a key's default that does not suit the model is `default`") {
  Gate gate(three_providers());
  gate.plan.anthropic_key = "sk-ant";
  gate.plan.key.start_within = "00h-00m-30s";
  gate.publish();
  CHECK(gate.sim.ask(of_model("gpt-5.4", R"("stream":true)")).reason() == "flex_won");
  const Reply& other = gate.sim.ask(of_model("gpt-4.1", ""));
  CHECK(other.reason() == "tier_direct");
  CHECK(other.tier() == "default");
  CHECK(gate.code(of_model("gpt-4.1", R"("start_within":"00h-00m-30s")")) ==
        "400 model_not_flex_capable");
}

TEST_CASE("gates: a model under maintenance") {
  Gate gate;
  gate.plan.openai_key = "";
  gate.plan.models = {{.name = "gpt-5.4", .maintenance = true, .retry_after_s = 17},
                      {.name = "o3", .maintenance = false}};
  gate.publish();
  // After what is wrong with the request, before the provider's key.
  CHECK(gate.code(body("")) == "400 missing_start_within");
  const Reply& reply = gate.sim.ask(body(kDirect));
  CHECK(reply.status == 503);
  CHECK(reply.code() == "service_unavailable");
  CHECK(reply.body.find("gpt-5.4") != std::string::npos);
  CHECK(reply.field("retry-after") == "17");
  CHECK(gate.code(of_model("o3", kDirect)) == "400 no_byok_key");
  CHECK(gate.code(of_model("gpt-5.4-mini", kDirect)) == "400 no_byok_key");
  gate.plan.openai_key = "sk-sim";
  gate.plan.models.clear();
  gate.publish();
  CHECK(gate.direct() == "200");
}

TEST_CASE("gates: an overdue organization pauses durations and nothing else") {
  Gate gate;
  gate.plan.billing = store::Billing::overdue;
  gate.publish();
  const Reply& refused = gate.sim.ask(race_body(10, true));
  CHECK(refused.status == 402);
  CHECK(refused.code() == "payment_required");
  CHECK(json_text(refused.body, "type") == "billing_error");
  for (const char* const word : {"default", "priority", "auto"}) {
    CHECK(gate.code(body(R"("start_within":")" + std::string(word) + "\"")) == "200");
  }
  const std::string overdue = json_text(refused.body, "message");
  gate.plan.billing = store::Billing::no_payment_method;
  gate.publish();
  const Reply& other = gate.sim.ask(race_body(10, true));
  CHECK(other.code() == "payment_required");
  CHECK(json_text(other.body, "message") != overdue);
  gate.plan.billing = store::Billing::ok;
  gate.publish();
  CHECK(gate.race() == "200");
  // The provider's key comes first.
  gate.plan.billing = store::Billing::overdue;
  gate.plan.openai_key = "";
  gate.publish();
  CHECK(gate.race() == "400 no_byok_key");
  CHECK(gate.sim.race_slots_in_use() == 0);
}

TEST_CASE("gates: a key's budgets, last of all") {
  Gate gate;
  gate.plan.key.budget_requests = 2;
  gate.publish();
  CHECK(gate.direct() == "200");
  // What is refused before it does not count.
  CHECK(gate.code(body("")) == "400 missing_start_within");
  CHECK(gate.direct() == "200");
  CHECK(gate.direct() == "402 quota_exceeded");
  CHECK(gate.sim.attempts_total() == 2);
  gate.plan.billing = store::Billing::overdue;
  gate.publish();
  CHECK(gate.race() == "402 payment_required");
  CHECK(gate.direct() == "402 quota_exceeded");
  gate.plan.key.budget_requests = 3;
  gate.publish();
  CHECK(gate.direct() == "200");
  CHECK(gate.direct() == "402 quota_exceeded");
  gate.plan.key.budget_requests.reset();
  gate.plan.key.budget_nanos = 1'000;
  gate.publish();
  CHECK(gate.direct() == "200");
  const auto now_s = static_cast<int64_t>(gate.sim.gateway().unix_ms() / 1000);
  gate.office.key().nanos.add(store::month_of(now_s), 1'000);
  CHECK(gate.direct() == "402 quota_exceeded");
}

TEST_CASE("gates: prepaid credit holds for models with a price") {
  Gate gate;
  gate.plan.credit_nanos = 0;
  gate.publish();
  REQUIRE(gate.prices.knows("gpt-5.4"));
  REQUIRE(!gate.prices.knows("gpt-unheard-of"));
  const Reply& spent = gate.sim.ask(body(kDirect));
  CHECK(spent.status == 402);
  CHECK(spent.code() == "insufficient_balance");
  CHECK(gate.code(of_model("gpt-unheard-of", kDirect)) == "200");
  gate.plan.credit_nanos = 1;
  gate.publish();
  CHECK(gate.direct() == "200");
}

TEST_CASE("gates: a tier without a price passes neither credit nor a budget in dollars") {
  // The model has a price; the tier that served, or so many tokens at it, has none.
  struct Answer {
    std::string model;
    std::string text;
  };
  const auto answer = [](std::string_view tier, std::string_view usage) {
    return R"({"object":"response","status":"completed","service_tier":")" + std::string(tier) +
           R"(","usage":{)" + std::string(usage) + "}}";
  };
  for (const Answer& each :
       {Answer{"gpt-5.4-nano", answer("priority", R"("input_tokens":7,"output_tokens":3)")},
        Answer{"gpt-5.4", answer("flex", R"("input_tokens":272001,"output_tokens":3)")},
        Answer{"gpt-5.5-pro",
               answer("default", R"("input_tokens":7,"input_tokens_details":{"cached_tokens":7},)"
                                 R"("output_tokens":3)")}}) {
    CAPTURE(each.text);
    Gate gate;
    gate.sim.provider.standard_play = Play().json(200, each.text);
    gate.plan.credit_nanos = 1;
    gate.publish();
    CHECK(gate.code(of_model(each.model, kDirect)) == "200");
    CHECK(gate.sim.metrics.value(metrics::Counter::list_cost_nanodollars) == 0);
    CHECK(gate.code(of_model(each.model, kDirect)) == "402 insufficient_balance");
    const auto table = gate.sim.worker->take_usage();
    std::vector<store::UsageRow> rows;
    std::vector<store::KeyUse> uses;
    table->take(rows, uses);
    REQUIRE(!rows.empty());
    CHECK(rows.front().counts.unpriced == 1);
    CHECK(rows.front().counts.cost_nanos == 0);
    CHECK(rows.front().counts.drawn_nanos ==
          static_cast<int64_t>(gate.office.organization().spent.get()));

    gate.plan.credit_nanos.reset();
    gate.plan.key.budget_nanos = 1;
    gate.publish();
    CHECK(gate.code(of_model(each.model, kDirect)) == "200");
    CHECK(gate.code(of_model(each.model, kDirect)) == "402 quota_exceeded");
  }
}
