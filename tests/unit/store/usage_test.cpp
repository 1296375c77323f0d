#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "flexd/store/store.hpp"
#include "scratch.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// World is a store with two organizations and three keys.
struct World {
  Scratch scratch;
  std::unique_ptr<Store> store = open(scratch);
  Number acme = must(store->create_organization("acme")).number;
  Number other = must(store->create_organization("other")).number;
  Number key1 = must(store->create_key(sample_key(acme, "1"))).number;
  Number key2 = must(store->create_key(sample_key(acme, "2"))).number;
  Number key3 = must(store->create_key(sample_key(other, "3"))).number;

  UsageRow row(Number organization, Number key, int32_t day, const std::string& model,
               int64_t requests) const {
    return {.organization = organization,
            .key = key,
            .day = day,
            .model = model,
            .provider = "openai",
            .tier_asked = "flex",
            .tier_served = requests % 2 == 0 ? "flex" : "default",
            .reason = "race",
            .counts = {.requests = requests, .input_tokens = 10 * requests}};
  }

  // use notes requests of key1, which cost 2 each, and gives what the store then has of the key.
  Key use(int32_t month, int64_t requests, int64_t at_s) {
    must(store->record_usage({}, std::vector{KeyUse{.key = key1,
                                                    .last_used_at_s = at_s,
                                                    .month = month,
                                                    .requests = requests,
                                                    .nanos = 2 * requests}}));
    return must(store->load()).keys.at(0);
  }
};

TEST_CASE("every count is added to the row of its eight columns") {
  World world;
  UsageRow row = world.row(world.acme, world.key1, 20'000, "gpt-5.2", 1);
  row.counts = {.requests = 1,
                .errors = 2,
                .client_closed = 3,
                .input_tokens = 4,
                .cached_tokens = 5,
                .cache_write_tokens = 6,
                .output_tokens = 7,
                .reasoning_tokens = 8,
                .unpriced = 9,
                .cost_nanos = 10,
                .standard_nanos = 11,
                .possible_double_bills = 12,
                .drawn_nanos = 13};
  must(world.store->record_usage(std::vector{row, row}, {}));
  must(world.store->record_usage(std::vector{row}, {}));
  UsageQuery query;
  for (size_t i = 0; i < kUsageColumnCount; ++i) query.by.push_back(static_cast<UsageColumn>(i));
  const auto rows = must(world.store->usage(query));
  REQUIRE(rows.size() == 1);
  const UsageRow& got = rows[0];
  CHECK(got.organization == world.acme);
  CHECK(got.key == world.key1);
  CHECK(got.day == 20'000);
  CHECK(got.model == "gpt-5.2");
  CHECK(got.provider == "openai");
  CHECK(got.tier_asked == "flex");
  CHECK(got.tier_served == "default");
  CHECK(got.reason == "race");
  const UsageCounts& c = got.counts;
  const int64_t counts[] = {c.requests,      c.errors,           c.client_closed,
                            c.input_tokens,  c.cached_tokens,    c.cache_write_tokens,
                            c.output_tokens, c.reasoning_tokens, c.unpriced,
                            c.cost_nanos,    c.standard_nanos,   c.possible_double_bills,
                            c.drawn_nanos};
  for (int64_t i = 0; i < 13; ++i) CHECK(counts[i] == 3 * (i + 1));

  // One that differs in any column is a row of its own.
  std::vector<UsageRow> others(8, row);
  others[0].organization = world.other;
  others[1].key = world.key2;
  others[2].day = 20'001;
  others[3].model = "gpt-5.2 ";
  others[4].provider = "";
  others[5].tier_asked = "auto";
  others[6].tier_served = "";
  others[7].reason = "";
  must(world.store->record_usage(others, {}));
  CHECK(must(world.store->usage(query)).size() == 9);
}

TEST_CASE("usage is grouped by any columns, in their order, and the groups add up to the total") {
  World world;
  std::vector<UsageRow> rows;
  int64_t total = 0;
  for (int i = 0; i < 240; ++i) {
    const int who = i % 3;
    rows.push_back(
        world.row(who == 2 ? world.other : world.acme,
                  std::vector{world.key1, world.key2, world.key3}[static_cast<size_t>(who)],
                  20'000 + i % 5, i % 7 == 0 ? "a" : "b", i));
    total += i;
  }
  must(world.store->record_usage(rows, {}));
  for (unsigned set = 0; set < 1U << kUsageColumnCount; ++set) {
    UsageQuery query;
    // Backwards: the order is the query's, not the table's.
    for (size_t i = kUsageColumnCount; i-- > 0;) {
      if ((set >> i & 1U) != 0) query.by.push_back(static_cast<UsageColumn>(i));
    }
    const auto groups = must(world.store->usage(query));
    int64_t sum = 0;
    int64_t tokens = 0;
    for (const UsageRow& group : groups) {
      sum += group.counts.requests;
      tokens += group.counts.input_tokens;
    }
    CAPTURE(set);
    CHECK(sum == total);
    CHECK(tokens == 10 * total);
  }
  const auto by_model_day =
      must(world.store->usage({.by = {UsageColumn::model, UsageColumn::day}}));
  REQUIRE(by_model_day.size() == 10);
  for (size_t i = 0; i < 10; ++i) {
    CHECK(by_model_day[i].model == (i < 5 ? "a" : "b"));
    CHECK(by_model_day[i].day == 20'000 + static_cast<int32_t>(i % 5));
    CHECK(by_model_day[i].organization == 0);
    CHECK(by_model_day[i].provider.empty());
  }
}

TEST_CASE("a query takes one organization, one key, and days with both ends") {
  World world;
  must(world.store->record_usage(std::vector{world.row(world.acme, world.key1, 9, "m", 1),
                                             world.row(world.acme, world.key1, 10, "m", 10),
                                             world.row(world.acme, world.key2, 11, "m", 100),
                                             world.row(world.other, world.key3, 11, "m", 1000)},
                                 {}));
  const auto requests = [&](const UsageQuery& query) {
    const auto rows = must(world.store->usage(query));
    REQUIRE(rows.size() == 1);
    return rows[0].counts.requests;
  };
  CHECK(requests({}) == 1111);
  CHECK(requests({.organization = world.acme}) == 111);
  CHECK(requests({.key = world.key3}) == 1000);
  CHECK(requests({.organization = world.acme, .key = world.key3}) == 0);
  CHECK(requests({.since_day = 10}) == 1110);
  CHECK(requests({.until_day = 10}) == 11);
  CHECK(requests({.organization = world.acme, .since_day = 10, .until_day = 10}) == 10);
  CHECK(requests({.since_day = 12}) == 0);
  CHECK(must(world.store->usage({.since_day = 12, .by = {UsageColumn::day}})).empty());
}

TEST_CASE("sums stay at the largest number instead of turning over") {
  World world;
  UsageRow row = world.row(world.acme, world.key1, 1, "m", 1);
  row.counts.requests = kMost;
  row.counts.drawn_nanos = kMost;
  const KeyUse use{.key = world.key1, .month = 5, .requests = kMost, .nanos = kMost};
  for (int i = 0; i < 2; ++i) must(world.store->record_usage(std::vector{row}, std::vector{use}));
  row.day = 2;
  must(world.store->record_usage(std::vector{row}, {}));
  CHECK(must(world.store->usage({})).at(0).counts.requests == kMost);
  CHECK(must(world.store->find_organization("acme")).spent_nanos == kMost);
  CHECK(must(world.store->load()).keys.at(0).month_requests == kMost);
  UsageCounts counts{.requests = kMost, .errors = 1};
  counts += {.requests = 1, .errors = 1};
  CHECK(counts.requests == kMost);
  CHECK(counts.errors == 2);
}

TEST_CASE("what was drawn is the organization's spending") {
  World world;
  must(world.store->add_credit(world.acme, 100));
  UsageRow row = world.row(world.acme, world.key1, 1, "m", 1);
  row.counts.drawn_nanos = 70;
  UsageRow free = world.row(world.other, world.key3, 1, "m", 1);
  must(world.store->record_usage(std::vector{row, row, free}, {}));
  const Organization acme = must(world.store->find_organization("acme"));
  CHECK(acme.credit_nanos == 100);
  CHECK(acme.spent_nanos == 140);  // more than there was: a request is not cut off half-way
  CHECK(must(world.store->load()).organizations.at(0).spent_nanos == 140);
  CHECK(must(world.store->find_organization("other")).spent_nanos == 0);
}

TEST_CASE("a key's month is replaced by a newer one, added to, and untouched by an older") {
  World world;
  Key key = world.use(100, 5, 1000);
  CHECK(key.month == 100);
  CHECK(key.month_requests == 5);
  CHECK(key.month_nanos == 10);
  CHECK(key.last_used_at_s == 1000);
  key = world.use(100, 2, 900);
  CHECK(key.month_requests == 7);
  CHECK(key.month_nanos == 14);
  CHECK(key.last_used_at_s == 1000);
  key = world.use(99, 1000, 2000);
  CHECK(key.month == 100);
  CHECK(key.month_requests == 7);
  CHECK(key.last_used_at_s == 2000);
  key = world.use(101, 1, 2001);
  CHECK(key.month == 101);
  CHECK(key.month_requests == 1);
  CHECK(key.month_nanos == 2);
  CHECK(must(world.store->load()).keys.at(1).month == 0);
}

TEST_CASE("a key's month that a wrong clock wrote does not hold off the counts of the right one") {
  World world;
  world.use(124, 9, 9000);
  Key key = world.use(100, 3, 1000);
  CHECK(key.month == 100);
  CHECK(key.month_requests == 3);
  CHECK(key.month_nanos == 6);
  CHECK(key.last_used_at_s == 1000);
  key = world.use(100, 4, 1001);
  CHECK(key.month_requests == 7);
  CHECK(key.month_nanos == 14);
  // Two months ahead begin anew, one is a use that came late.
  world.use(102, 1, 2000);
  key = world.use(101, 8, 1500);
  CHECK(key.month == 102);
  CHECK(key.month_requests == 1);
  CHECK(key.month_nanos == 2);
  CHECK(key.last_used_at_s == 2000);
  key = world.use(100, 8, 1500);
  CHECK(key.month == 100);
  CHECK(key.month_requests == 8);
  CHECK(key.last_used_at_s == 1500);
}

TEST_CASE("usage that a gateway could not tell apart is kept, and draws from whom it knows") {
  World world;
  UsageRow keyless = world.row(world.acme, 0, 1, "(other)", 2);
  keyless.counts.drawn_nanos = 5;
  UsageRow nobody = world.row(0, 0, 1, "(other)", 3);
  nobody.counts.drawn_nanos = 7;
  must(world.store->record_usage(std::vector{keyless, nobody}, {}));
  CHECK(must(world.store->usage({})).at(0).counts.requests == 5);
  CHECK(must(world.store->find_organization("acme")).spent_nanos == 5);
}

TEST_CASE("record_usage is all or nothing") {
  World world;
  UsageRow good = world.row(world.acme, world.key1, 1, "m", 1);
  good.counts.drawn_nanos = 5;
  const KeyUse use{.key = world.key1, .month = 1, .requests = 1};
  const auto nothing = [&] {
    CHECK(must(world.store->usage({})).at(0).counts.requests == 0);
    CHECK(must(world.store->find_organization("acme")).spent_nanos == 0);
    CHECK(must(world.store->load()).keys.at(0).month == 0);
  };
  UsageRow bad = good;
  bad.organization = 99;
  CHECK(refused(world.store->record_usage(std::vector{good, bad}, std::vector{use})).kind ==
        Kind::not_found);
  bad = good;
  bad.key = 99;
  CHECK(refused(world.store->record_usage(std::vector{good, bad}, {})).kind == Kind::not_found);
  bad = good;
  bad.counts.output_tokens = -1;
  CHECK(refused(world.store->record_usage(std::vector{good, bad}, {})).kind == Kind::invalid);
  bad = good;
  bad.model = std::string(513, 'm');
  CHECK(refused(world.store->record_usage(std::vector{good, bad}, {})).kind == Kind::invalid);
  KeyUse stray = use;
  stray.key = 99;
  CHECK(refused(world.store->record_usage(std::vector{good}, std::vector{use, stray})).kind ==
        Kind::not_found);
  stray = use;
  stray.nanos = -1;
  CHECK(refused(world.store->record_usage(std::vector{good}, std::vector{stray})).kind ==
        Kind::invalid);
  nothing();
  must(world.store->record_usage({}, {}));
  nothing();
  bad = good;
  bad.model = "x'); DELETE FROM usage; --\xff" + std::string(1, '\0') + "\xc3\xbc";
  must(world.store->record_usage(std::vector{good, bad}, std::vector{use}));
  const auto rows = must(world.store->usage({.by = {UsageColumn::model}}));
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].model == bad.model);
}

TEST_CASE("month_of and day_of follow the calendar") {
  CHECK(day_of(0) == 0);
  CHECK(day_of(86'399) == 0);
  CHECK(day_of(86'400) == 1);
  CHECK(day_of(-1) == -1);
  CHECK(month_of(0) == 1970 * 12);
  CHECK(month_of(1'709'251'199) == 2024 * 12 + 1);  // 2024-02-29T23:59:59Z
  CHECK(month_of(1'709'251'200) == 2024 * 12 + 2);
  CHECK(month_of(1'767'225'599) == 2025 * 12 + 11);
  CHECK(month_of(1'767'225'600) == 2026 * 12);
}

}  // namespace
}  // namespace flexd::store
