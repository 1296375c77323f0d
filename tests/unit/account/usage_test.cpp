#include "flexd/account/usage.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <tuple>
#include <vector>

namespace {

std::atomic<uint64_t> allocations{0};

// A sanitizer has an operator new of its own, and nothing is counted.
#ifdef FLEXD_SANITIZE
constexpr bool kCounts = false;
#else
constexpr bool kCounts = true;
#endif

}  // namespace

#ifndef FLEXD_SANITIZE
void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}
#endif

namespace flexd::account {
namespace {

using store::KeyUse;
using store::UsageCounts;
using store::UsageRow;

// 2026-11-30T23:59:59Z and its day.
constexpr uint64_t kLastOfNovember = 1'796'083'199;
constexpr int32_t kDay = 20'787;
constexpr int32_t kNovember = 2026 * 12 + 10;

UsageEntry entry_of(store::Number organization, store::Number key, std::string_view model) {
  UsageEntry entry;
  entry.organization = organization;
  entry.key = key;
  entry.unix_s = kLastOfNovember;
  entry.model = model;
  entry.provider = "openai";
  entry.tier_asked = "flex";
  entry.tier_served = "default";
  entry.reason = "flex_deadline";
  entry.counts.requests = 1;
  return entry;
}

struct Taken {
  std::vector<UsageRow> rows;
  std::vector<KeyUse> uses;

  explicit Taken(UsageTable& table) { table.take(rows, uses); }
  UsageCounts total() const {
    UsageCounts sum;
    for (const UsageRow& row : rows) sum += row.counts;
    return sum;
  }
};

TEST_CASE("usage: requests alike add up in one row, of whatever column they differ in") {
  UsageTable table;
  CHECK(table.empty());
  UsageEntry entry = entry_of(1, 2, "gpt-5.5");
  entry.counts = {.requests = 1,
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
  table.add(entry);
  table.add(entry);
  CHECK_FALSE(table.empty());
  const Taken taken(table);
  REQUIRE(taken.rows.size() == 1);
  const UsageRow& row = taken.rows.front();
  CHECK(std::tie(row.organization, row.key, row.day) == std::tuple(1, 2, kDay));
  CHECK(std::tie(row.model, row.provider, row.tier_asked, row.tier_served, row.reason) ==
        std::tuple("gpt-5.5", "openai", "flex", "default", "flex_deadline"));
  const UsageCounts& c = row.counts;
  CHECK(std::tie(c.requests, c.errors, c.client_closed, c.input_tokens, c.cached_tokens,
                 c.cache_write_tokens, c.output_tokens, c.reasoning_tokens, c.unpriced,
                 c.cost_nanos, c.standard_nanos, c.possible_double_bills,
                 c.drawn_nanos) == std::tuple(2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26));
  CHECK(table.empty());
  CHECK(Taken(table).rows.empty());
}

TEST_CASE("usage: each column makes a row of its own") {
  UsageTable table;
  const UsageEntry first = entry_of(1, 2, "gpt-5.5");
  std::vector<UsageEntry> entries(9, first);
  entries[1].organization = 2;
  entries[2].key = 3;
  entries[3].unix_s += 1;
  entries[4].model = "gpt-5.4";
  entries[5].provider = "gemini";
  entries[6].tier_asked = "auto";
  entries[7].tier_served = "";
  entries[8].reason = "flex_won";
  for (int round = 0; round < 2; ++round) {
    for (const UsageEntry& entry : entries) table.add(entry);
  }
  const Taken taken(table);
  CHECK(taken.rows.size() == entries.size());
  for (const UsageRow& row : taken.rows) CHECK(row.counts.requests == 2);
  CHECK(taken.rows[3].day == kDay + 1);
}

TEST_CASE("usage: texts that run into one another are not the same row") {
  UsageTable table;
  UsageEntry entry = entry_of(1, 2, "ab");
  entry.provider = "c";
  table.add(entry);
  entry.model = "a";
  entry.provider = "bc";
  table.add(entry);
  entry.model = "";
  entry.provider = "";
  table.add(entry);
  CHECK(Taken(table).rows.size() == 3);
}

TEST_CASE("usage: long names are kept in part, whole characters only") {
  UsageTable table;
  const std::string whole(kUsageModelBytes, 'm');
  const std::string cut = std::string(kUsageModelBytes - 1, 'm') + "é";
  table.add(entry_of(1, 2, whole));
  table.add(entry_of(1, 2, whole + "more"));
  table.add(entry_of(1, 2, cut));
  UsageEntry entry = entry_of(1, 2, "");
  const std::string long_word(100, 't');
  entry.provider = entry.tier_asked = entry.tier_served = entry.reason = long_word;
  table.add(entry);
  const Taken taken(table);
  REQUIRE(taken.rows.size() == 3);
  CHECK(taken.rows[0].model == whole);
  CHECK(taken.rows[0].counts.requests == 2);
  CHECK(taken.rows[1].model == std::string(kUsageModelBytes - 1, 'm'));
  CHECK(taken.rows[2].tier_served == std::string(kUsageTierBytes, 't'));
  CHECK(taken.rows[2].reason == std::string(kUsageTierBytes, 't'));
}

TEST_CASE("usage: what a key did is told by month") {
  UsageTable table;
  UsageEntry entry = entry_of(1, 7, "gpt-5.5");
  entry.counts_for_budget = true;
  entry.budget_nanos = 100;
  entry.counts.cost_nanos = 7;
  table.add(entry);
  entry.model = "gpt-5.4";
  entry.unix_s = kLastOfNovember - 5;
  table.add(entry);
  entry.counts_for_budget = false;  // refused by a check: it counts as use, not against the budget
  entry.budget_nanos = 0;
  entry.unix_s = kLastOfNovember - 1;
  table.add(entry);
  entry.unix_s = kLastOfNovember + 1;
  entry.counts_for_budget = true;
  entry.budget_nanos = 5;
  table.add(entry);
  UsageEntry other = entry_of(1, 3, "gpt-5.5");
  table.add(other);
  const Taken taken(table);
  REQUIRE(taken.uses.size() == 3);
  const auto is = [](const KeyUse& use, KeyUse wanted) {
    return std::tie(use.key, use.last_used_at_s, use.month, use.requests, use.nanos) ==
           std::tie(wanted.key, wanted.last_used_at_s, wanted.month, wanted.requests, wanted.nanos);
  };
  constexpr auto kLast = static_cast<int64_t>(kLastOfNovember);
  CHECK(is(taken.uses[0], {3, kLast, kNovember, 0, 0}));
  CHECK(is(taken.uses[1], {7, kLast, kNovember, 2, 200}));
  CHECK(is(taken.uses[2], {7, kLast + 1, kNovember + 1, 1, 5}));
}

TEST_CASE("usage: take appends") {
  UsageTable table;
  std::vector<UsageRow> rows(2);
  std::vector<KeyUse> uses(3);
  table.add(entry_of(1, 2, "m"));
  table.take(rows, uses);
  table.take(rows, uses);  // nothing
  CHECK(rows.size() == 3);
  CHECK(uses.size() == 4);
}

// fill adds one request of each of `count` models.
void fill(UsageTable& table, size_t count, size_t first = 0) {
  for (size_t i = first; i < first + count; ++i) {
    table.add(entry_of(1, 1, "model-" + std::to_string(i)));
  }
}

TEST_CASE("usage: three quarters full is crowded") {
  UsageTable table;
  fill(table, UsageTable::kRowsMax / 4 * 3 - 1);
  CHECK_FALSE(table.is_crowded());
  fill(table, 1, 1'000'000);
  CHECK(table.is_crowded());
  const Taken taken(table);
  CHECK(taken.rows.size() == UsageTable::kRowsMax / 4 * 3);
  CHECK_FALSE(table.is_crowded());
}

TEST_CASE("usage: a full table counts new models as other, and known rows as ever") {
  UsageTable table;
  fill(table, UsageTable::kRowsMax);
  fill(table, 500, 1'000'000);             // one row of other
  fill(table, UsageTable::kRowsMax);       // all known
  table.add(entry_of(1, 9, "model-0"));    // another key: a second row of other
  table.add(entry_of(1, 9, kOtherModel));  // by its own name it is the same
  const Taken taken(table);
  REQUIRE(taken.rows.size() == UsageTable::kRowsMax + 2);
  for (size_t i = 0; i < UsageTable::kRowsMax; ++i) {
    REQUIRE(taken.rows[i].model == "model-" + std::to_string(i));
    REQUIRE(taken.rows[i].counts.requests == 2);
  }
  const UsageRow& other = taken.rows[UsageTable::kRowsMax];
  CHECK(other.model == kOtherModel);
  CHECK(other.key == 1);
  CHECK(other.counts.requests == 500);
  CHECK(taken.rows.back().key == 9);
  CHECK(taken.rows.back().counts.requests == 2);
  CHECK(taken.total().requests == 2 * static_cast<int64_t>(UsageTable::kRowsMax) + 502);
}

TEST_CASE("usage: past every bound the totals are right") {
  UsageTable table;
  constexpr size_t kSpareEnd = UsageTable::kRowsMax + UsageTable::kSpareRows;
  constexpr size_t kKeylessEnd = kSpareEnd + UsageTable::kKeylessRows;
  fill(table, UsageTable::kRowsMax);
  for (size_t i = 0; i < UsageTable::kSpareRows; ++i) {
    table.add(entry_of(1, static_cast<store::Number>(i + 2), "new"));
  }
  for (size_t i = 0; i < UsageTable::kKeylessRows; ++i) {
    table.add(entry_of(static_cast<store::Number>(i + 2), 1'000'000, "new"));
  }
  table.add(entry_of(5, 1'000'001, "new"));  // a keyless row that is there
  UsageEntry entry = entry_of(1'000'000, 5, "new");
  for (int i = 0; i < 3; ++i) {
    table.add(entry);
    entry.unix_s += 86'400;
    entry.organization += 1;
  }
  const Taken taken(table);
  REQUIRE(taken.rows.size() == kKeylessEnd + 1);
  CHECK(taken.rows[kSpareEnd - 1].key == static_cast<store::Number>(UsageTable::kSpareRows + 1));
  for (size_t i = kSpareEnd; i < kKeylessEnd; ++i) {
    REQUIRE(taken.rows[i].key == 0);
    REQUIRE(taken.rows[i].model == kOtherModel);
    REQUIRE(taken.rows[i].organization == static_cast<store::Number>(i - kSpareEnd + 2));
    REQUIRE(taken.rows[i].counts.requests == (i - kSpareEnd + 2 == 5 ? 2 : 1));
  }
  const UsageRow& last = taken.rows.back();
  CHECK(std::tie(last.organization, last.key, last.day) == std::tuple(0, 0, kDay));
  CHECK(last.counts.requests == 3);
  CHECK(taken.total().requests == static_cast<int64_t>(kKeylessEnd) + 4);
  CHECK(std::ranges::none_of(taken.uses, [](const KeyUse& use) { return use.key == 0; }));
  // And it can be used again.
  fill(table, UsageTable::kRowsMax + 1);
  CHECK(Taken(table).rows.size() == UsageTable::kRowsMax + 1);
}

TEST_CASE("usage: adding allocates nothing, up to the last row") {
  UsageTable table;
  const std::string model(200, 'x');
  std::array<char, 16> name{};
  for (int round = 0; round < 2; ++round) {
    const uint64_t before = allocations;
    for (uint32_t i = 0; i < 3 * UsageTable::kRowsMax; ++i) {
      std::snprintf(name.data(), name.size(), "m-%u", i);
      table.add(entry_of(i, i, name.data()));
      table.add(entry_of(1, 1, model));
    }
    CHECK(allocations == before);
    const Taken taken(table);
    CHECK((allocations > before) == kCounts);
    CHECK(taken.total().requests == 6 * static_cast<int64_t>(UsageTable::kRowsMax));
  }
}

TEST_CASE("usage: sums agree with a plain map over many random requests") {
  UsageTable table;
  std::map<std::tuple<store::Number, store::Number, std::string>, int64_t> wanted;
  uint64_t state = 1;
  for (int i = 0; i < 50'000; ++i) {
    state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    const auto organization = static_cast<store::Number>((state >> 33U) % 5 + 1);
    const auto key = static_cast<store::Number>((state >> 40U) % 20 + 1);
    const std::string model = "m" + std::to_string((state >> 50U) % 30);
    UsageEntry entry = entry_of(organization, key, model);
    entry.counts.output_tokens = static_cast<int64_t>(state >> 54U);
    table.add(entry);
    wanted[{organization, key, model}] += entry.counts.output_tokens;
  }
  const Taken taken(table);
  CHECK(taken.rows.size() == wanted.size());
  for (const UsageRow& row : taken.rows) {
    REQUIRE(wanted.at({row.organization, row.key, row.model}) == row.counts.output_tokens);
  }
}

}  // namespace
}  // namespace flexd::account
