#include "words.hpp"

#include <doctest/doctest.h>

using flexd::ctl::balance_nanos;
using flexd::ctl::balance_text;
using flexd::ctl::key_state;
using flexd::ctl::KeyState;
using flexd::ctl::limits_text;
using flexd::ctl::models_text;
using flexd::ctl::month_use;
using flexd::ctl::time_or;
using flexd::store::Key;
using flexd::store::Organization;

namespace {

constexpr int64_t kNow = 1'795'266'000;  // 2026-11-21T13:00:00Z

}  // namespace

TEST_CASE("the state of a key") {
  Key key;
  CHECK(key_state(key, kNow) == KeyState::active);
  key.expires_at_s = kNow + 1;
  CHECK(key_state(key, kNow) == KeyState::active);
  key.deactivated = true;
  CHECK(key_state(key, kNow) == KeyState::deactivated);
  key.expires_at_s = kNow;
  CHECK(key_state(key, kNow) == KeyState::expired);
  key.revoked_at_s = kNow - 1;
  CHECK(key_state(key, kNow) == KeyState::revoked);
}

TEST_CASE("counters of an earlier month are over") {
  Key key;
  key.month = flexd::store::month_of(kNow);
  key.month_requests = 3;
  key.month_nanos = 5;
  CHECK(month_use(key, kNow).requests == 3);
  CHECK(month_use(key, kNow).nanos == 5);
  CHECK(month_use(key, kNow + 31 * 86'400).requests == 0);
}

TEST_CASE("balances") {
  Organization organization;
  organization.spent_nanos = 2'000'000'000;
  CHECK(!balance_nanos(organization));
  CHECK(balance_text(organization) == "not prepaid");
  organization.credit_nanos = 1'500'000'000;
  CHECK(*balance_nanos(organization) == -500'000'000);
  CHECK(balance_text(organization) == "-$0.500000");
}

TEST_CASE("limits and models in words") {
  Key key;
  CHECK(limits_text(key).empty());
  CHECK(models_text(key) == "all");
  key.requests_per_minute = 60;
  key.budget_requests = 0;
  key.budget_nanos = 2'500'000'000;
  key.models = {"gpt-5*", "o3"};
  CHECK(limits_text(key) == "60/min, 0 requests/month, $2.5/month");
  CHECK(models_text(key) == "gpt-5*, o3");
  CHECK(flexd::ctl::count_text(1, "key") == "1 key");
  CHECK(flexd::ctl::count_text(0, "key") == "0 keys");
  CHECK(time_or(0, "never") == "never");
  CHECK(time_or(kNow, "never") == "2026-11-21 13:00");
}
