#include "flexd/account/gates.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flexd::account {
namespace {

using errors::Code;
using errors::Variant;

// 2026-11-30T23:59:59Z, and a second later.
constexpr uint64_t kLastOfNovember = 1'796'083'199;
constexpr Clock kNow = {1'000'000'000, kLastOfNovember};
constexpr Clock kNextMonth = {2'000'000'000, kLastOfNovember + 1};

struct World {
  LimitArena arena;
  KeyRecord key;
  Organization organization;
  std::unique_ptr<metrics::Core> metrics = std::make_unique<metrics::Core>();

  World() {
    key.cells = &arena.key(1);
    organization.cells = &arena.organization(1);
  }
  Result<void, errors::Error> check(Spending spending, Clock clock = kNow) {
    return check_money(key, organization, spending, clock, metrics.get());
  }
  uint64_t limited(metrics::Limit limit) const {
    return metrics->value(metrics::Counter::limited, metrics::at(limit));
  }
};

TEST_CASE("a key without a ceiling is admitted and nothing is known") {
  World world;
  world.key.cells = nullptr;
  for (int i = 0; i < 100; ++i) {
    const Window window = admit_key(world.key, kNow, world.metrics.get());
    CHECK(window.admitted);
    CHECK(window.resets_at_s == 0);
  }
}

TEST_CASE("a ceiling admits its number and counts the ones refused") {
  World world;
  world.key.requests_per_minute = 2;
  CHECK(admit_key(world.key, kNow, world.metrics.get()).remaining == 1);
  CHECK(admit_key(world.key, kNow, world.metrics.get()).remaining == 0);
  const Window over = admit_key(world.key, kNow, world.metrics.get());
  CHECK_FALSE(over.admitted);
  CHECK(over.resets_at_s == kNow.unix_s + 60);
  CHECK(world.limited(metrics::Limit::key) == 1);
  CHECK_FALSE(admit_key(world.key, kNow, nullptr).admitted);
  // What front makes of it.
  const errors::Error error{Code::rate_limit_exceeded, Variant::key_ceiling, {}, {}, 17};
  CHECK(errors::Headers(error, 0).find("retry-after") == "17");
}

TEST_CASE("the list of models has exact names and prefixes") {
  KeyRecord key;
  CHECK(allows_model(key, "anything"));
  key.models = {"gpt-5.5", "gemini-*"};
  CHECK(allows_model(key, "gpt-5.5"));
  CHECK_FALSE(allows_model(key, "gpt-5.5-pro"));
  CHECK_FALSE(allows_model(key, "gpt-5"));
  CHECK_FALSE(allows_model(key, "GPT-5.5"));
  CHECK(allows_model(key, "gemini-"));
  CHECK(allows_model(key, "gemini-3-flash-preview"));
  CHECK_FALSE(allows_model(key, "gemini"));
  CHECK_FALSE(allows_model(key, "xgemini-3"));
  CHECK_FALSE(allows_model(key, ""));
  // A star elsewhere is a character like any other.
  key.models = {"a*b"};
  CHECK(allows_model(key, "a*b"));
  CHECK_FALSE(allows_model(key, "axb"));
  key.models = {"*"};
  CHECK(allows_model(key, "o3"));
}

TEST_CASE("billing pauses durations alone, with a message each") {
  World world;
  CHECK(world.check({.duration = true}).has_value());
  world.organization.billing = store::Billing::overdue;
  CHECK(world.check({}).has_value());
  const auto overdue = world.check({.duration = true});
  REQUIRE_FALSE(overdue.has_value());
  CHECK(overdue.error().code == Code::payment_required);
  CHECK(overdue.error().variant == Variant::none);
  world.organization.billing = store::Billing::no_payment_method;
  CHECK(world.check({.priced = true}).has_value());
  CHECK(world.check({.duration = true}).error().variant == Variant::no_payment_method);
  CHECK(world.limited(metrics::Limit::billing) == 2);
}

TEST_CASE("a budget of requests counts those that pass and returns with the month") {
  World world;
  world.key.budget_requests = 2;
  world.organization.billing = store::Billing::overdue;
  CHECK_FALSE(world.check({.duration = true}).has_value());  // refused before: not counted
  CHECK(world.check({}).has_value());
  CHECK(world.check({}).has_value());
  const auto over = world.check({});
  REQUIRE_FALSE(over.has_value());
  CHECK(over.error().code == Code::quota_exceeded);
  CHECK(over.error().status() == 402);
  CHECK(world.limited(metrics::Limit::budget) == 1);
  CHECK(world.check({}, kNextMonth).has_value());
  CHECK(world.check({}, kNextMonth).has_value());
  CHECK_FALSE(world.check({}, kNextMonth).has_value());
}

TEST_CASE("a budget of money ends with the answer that reaches it") {
  World world;
  world.key.budget_nanos = 100;
  CHECK(world.check({}).has_value());
  charge(world.key, world.organization, 99, kNow, kNow);
  CHECK(world.check({}).has_value());
  charge(world.key, world.organization, 50, kNow, kNow);
  CHECK(world.check({}).error().code == Code::quota_exceeded);
  CHECK(world.key.cells->nanos.get(store::month_of(kLastOfNovember)) == 149);
  CHECK(world.check({}, kNextMonth).has_value());
  world.key.budget_nanos = 0;
  CHECK_FALSE(world.check({}, kNextMonth).has_value());
  // An organization that does not prepay has nothing drawn.
  CHECK(world.organization.cells->spent.get() == 0);
}

TEST_CASE("what was admitted in the old month and answered in the new counts against neither") {
  World world;
  world.key.budget_nanos = 100;
  world.organization.prepaid = true;
  world.organization.credit_nanos = 1'000;
  charge(world.key, world.organization, 100, kNow, kNow);
  CHECK_FALSE(world.check({}).has_value());
  charge(world.key, world.organization, 1, kNextMonth, kNextMonth);
  charge(world.key, world.organization, 500, kNow, kNextMonth);
  CHECK(world.key.cells->nanos.get(store::month_of(kLastOfNovember + 1)) == 1);
  CHECK(world.check({}, kNextMonth).has_value());
  // Credit has no months.
  CHECK(world.organization.cells->spent.get() == 601);
}

TEST_CASE("a request that finds the money spent has not used the budget of requests") {
  World world;
  world.key.budget_requests = 1;
  world.key.budget_nanos = 0;
  CHECK_FALSE(world.check({}).has_value());
  world.key.budget_nanos.reset();
  world.organization.prepaid = true;
  CHECK(world.check({.priced = true}).error().code == Code::insufficient_balance);
  CHECK(world.check({}).has_value());
  // Both at fault: the key's budget is told first.
  CHECK(world.check({.priced = true}).error().code == Code::quota_exceeded);
}

TEST_CASE("prepaid credit is drawn down and works again after a top-up") {
  World world;
  world.organization.prepaid = true;
  world.organization.credit_nanos = 1'000;
  CHECK(world.check({.priced = true}).has_value());
  charge(world.key, world.organization, 999, kNow, kNow);
  CHECK(world.check({.priced = true}).has_value());
  charge(world.key, world.organization, 1, kNow, kNow);
  const auto spent = world.check({.duration = true, .priced = true});
  REQUIRE_FALSE(spent.has_value());
  CHECK(spent.error().code == Code::insufficient_balance);
  CHECK(world.limited(metrics::Limit::credit) == 1);
  CHECK(world.check({.priced = false}).has_value());  // a model without a price costs nothing
  world.organization.credit_nanos = 1'001;
  CHECK(world.check({.priced = true}).has_value());
  // A key without a budget has nothing counted.
  CHECK(world.key.cells->nanos.get(store::month_of(kLastOfNovember)) == 0);
}

TEST_CASE("a budget above the largest sum holds there") {
  World world;
  world.key.budget_nanos = UINT64_MAX;
  charge(world.key, world.organization, MonthCell::kSumMax - 1, kNow, kNow);
  CHECK(world.check({}).has_value());
  charge(world.key, world.organization, UINT64_MAX, kNow, kNow);
  CHECK_FALSE(world.check({}).has_value());
}

TEST_CASE("four threads pass a budget of requests exactly as often as it has requests") {
  World world;
  world.key.budget_requests = 3'000;
  std::atomic<int> passed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 5'000; ++n) {
        if (check_money(world.key, world.organization, {}, kNow, nullptr)) ++passed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(passed == 3'000);
}

}  // namespace
}  // namespace flexd::account
