// What a store tells of spending: what other gateways wrote, since somebody looked.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "flexd/store/store.hpp"
#include "schema.hpp"
#include "scratch.hpp"

namespace flexd::store {
namespace {

// Two are two gateways on one store, with an organization and some keys.
struct Two {
  Scratch scratch;
  std::unique_ptr<Store> here = open(scratch);
  std::unique_ptr<Store> there = open(scratch);
  Number acme = must(here->create_organization("acme")).number;
  Number key1 = must(here->create_key(sample_key(acme, "1"))).number;
  Number key2 = must(here->create_key(sample_key(acme, "2"))).number;

  void spend(Store& store, Number key, int64_t requests, int64_t nanos, int64_t drawn = 0) const {
    UsageRow row{.organization = acme, .key = key, .day = 20'000, .counts = {.requests = 1}};
    row.counts.drawn_nanos = drawn;
    must(store.record_usage(std::vector{row}, std::vector{KeyUse{.key = key,
                                                                 .last_used_at_s = 1'000,
                                                                 .month = 300,
                                                                 .requests = requests,
                                                                 .nanos = nanos}}));
  }
};

TEST_CASE("spending: what another has written is told, once, as the sum") {
  Two two;
  uint64_t at = must(two.here->load()).spending_revision;
  CHECK(at != 0);
  const auto ask = [&] {
    auto spending = must(two.here->spending(at));
    at = spending.revision;
    return spending;
  };
  CHECK(ask().keys.empty());
  two.spend(*two.here, two.key1, 1, 10, 100);
  CHECK(ask().keys.empty());  // that was this one
  CHECK(at == must(two.here->load()).spending_revision);
  two.spend(*two.there, two.key1, 2, 20, 200);
  Spending spending = ask();
  REQUIRE(spending.keys.size() == 1);
  CHECK(spending.keys[0].key == two.key1);
  CHECK(spending.keys[0].month == 300);
  CHECK(spending.keys[0].requests == 3);
  CHECK(spending.keys[0].nanos == 30);
  CHECK(spending.keys[0].last_used_at_s == 1'000);
  REQUIRE(spending.organizations.size() == 1);
  CHECK(spending.organizations[0].organization == two.acme);
  CHECK(spending.organizations[0].spent_nanos == 300);
  CHECK(ask().keys.empty());
  // In turns: what was written between two own writes is not lost, and neither is what came last.
  two.spend(*two.here, two.key1, 1, 1);
  two.spend(*two.there, two.key2, 7, 7);
  two.spend(*two.here, two.key1, 1, 1);
  spending = ask();
  REQUIRE(std::ranges::count(spending.keys, two.key2, &KeyUse::key) == 1);
  CHECK(spending.organizations.empty());
  two.spend(*two.there, two.key1, 5, 5);
  two.spend(*two.here, two.key1, 1, 1);  // on the same row
  spending = ask();
  REQUIRE(std::ranges::count(spending.keys, two.key1, &KeyUse::key) == 1);
  CHECK(std::ranges::find(spending.keys, two.key1, &KeyUse::key)->requests == 11);
}

TEST_CASE("spending: what spends nothing is no news, and 0 asks for everything") {
  Two two;
  two.spend(*two.there, two.key1, 1, 1);
  const uint64_t at = must(two.here->load()).spending_revision;
  two.spend(*two.there, two.key2, 0, 0);  // used, but refused
  must(two.there->create_organization("other"));
  CHECK(must(two.here->spending(at)).revision == at);
  CHECK(must(two.here->spending(0)).keys.size() == 1);
  two.spend(*two.there, two.key1, 0, 0, 5);
  CHECK(must(two.here->spending(at)).organizations.size() == 1);
  CHECK(must(two.here->spending(at)).keys.empty());
  // A question from the future is one of another store.
  CHECK(must(two.here->spending(at + 100)).keys.size() == 1);
}

TEST_CASE("spending: what was refused as a whole has counted nothing up") {
  Two two;
  const uint64_t at = must(two.here->load()).spending_revision;
  refused(two.here->record_usage({}, std::vector{KeyUse{.key = 99, .month = 1, .requests = 1}}));
  CHECK(must(two.there->spending(at)).revision == at);
  two.spend(*two.here, two.key1, 1, 1);
  CHECK(must(two.there->spending(at)).keys.size() == 1);
}

TEST_CASE("spending: a file of the first version keeps what was spent") {
  const Scratch scratch;
  Number key = 0;
  {
    const auto store = open(scratch);
    const Number acme = must(store->create_organization("acme")).number;
    key = must(store->create_key(sample_key(acme, "1"))).number;
  }
  {
    // As the first version had it.
    const Database database = must(Database::open(scratch.path()));
    must(database.run(
        "DROP INDEX key_use_by_revision; DROP INDEX spending_by_revision; "
        "ALTER TABLE key_use DROP COLUMN revision; ALTER TABLE spending DROP COLUMN revision; "
        "DROP TABLE spending_revision; PRAGMA user_version = 1; "
        "INSERT INTO key_use SELECT number, 1, 300, 40, 50 FROM keys; "
        "INSERT INTO spending SELECT number, 60 FROM organizations"));
  }
  const auto store = must(open_store(scratch.path(), OpenMode::existing));
  const Contents contents = must(store->load());
  CHECK(contents.keys.at(0).month_requests == 40);
  CHECK(contents.organizations.at(0).spent_nanos == 60);
  CHECK(must(store->spending(contents.spending_revision)).keys.empty());
  const Spending all = must(store->spending(0));
  REQUIRE(all.keys.size() == 1);
  CHECK(all.keys[0].key == key);
  CHECK(all.keys[0].nanos == 50);
  CHECK(all.organizations.size() == 1);
}

TEST_CASE("spending: of a hundred thousand keys only those that spent are read") {
  const Two two;
  constexpr int kKeys = 100'000;
  {
    const Database database = must(Database::open(two.scratch.path()));
    must(database.run(
        ("WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < " +
         std::to_string(kKeys) + ") INSERT INTO keys SELECT i, format('key_%012x', i), " +
         std::to_string(two.acme) +
         ", 'name', 0, randomblob(32), 'flex_live_0123', 1, 0, 0, 0, 0, '', 0, 5, NULL FROM n")
            .c_str()));
    must(database.run("INSERT INTO key_use SELECT number, 1, 300, 3, 4, 1 FROM keys"));
  }
  uint64_t at = must(two.here->load()).spending_revision;
  auto cpu_us = [begin = std::clock()]() mutable {
    const auto now = std::clock();
    return (now - std::exchange(begin, now)) * 1'000'000 / CLOCKS_PER_SEC;
  };
  constexpr int kRounds = 200;
  for (int i = 0; i < kRounds; ++i) CHECK(must(two.here->spending(at)).keys.empty());
  const auto quiet_us = cpu_us();
  std::clock_t one_us = 0;
  for (int64_t i = 0; i < kRounds; ++i) {
    two.spend(*two.there, 1'000 + i * 400, 1, 1);
    cpu_us();
    const Spending spending = must(two.here->spending(at));
    REQUIRE(spending.keys.size() == 1);
    CHECK(spending.keys[0].requests == 4);
    at = spending.revision;
    one_us += cpu_us();
  }
  CHECK(must(two.here->spending(0)).keys.size() > kKeys - 100);
  const auto all_us = cpu_us();
  std::vector<KeyUse> uses;
  for (int64_t i = 10; i < kKeys; ++i) uses.push_back({.key = i, .month = 300, .requests = 1});
  cpu_us();
  must(two.there->record_usage({}, uses));
  const auto written_us = cpu_us();
  MESSAGE("CPU: nothing new ", quiet_us / kRounds, " us; one key ", one_us / kRounds,
          " us; all keys ", all_us, " us; use of every key written ", written_us, " us");
  // With room for sanitizers; a walk through all rows takes a hundred times as long.
  CHECK(one_us / kRounds < all_us / 4);
}

TEST_CASE("spending: the plan of the question uses the index") {
  const Two two;
  const Database database = must(Database::open(two.scratch.path()));
  for (const std::string table : {"key_use", "spending"}) {
    Statement plan(database, "EXPLAIN QUERY PLAN SELECT * FROM " + table + " WHERE revision > 7");
    REQUIRE(must(plan.step()));
    CHECK(plan.text(3).find("USING INDEX " + table + "_by_revision") != std::string_view::npos);
  }
}

}  // namespace
}  // namespace flexd::store
