// What cells learn of spending that a store keeps for several gateways: LimitArena.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "flexd/account/limits.hpp"

namespace flexd::account {
namespace {

constexpr int32_t kNovember = 2026 * 12 + 10;
constexpr int32_t kDecember = kNovember + 1;

store::KeyUse use(store::Number key, int32_t month, int64_t requests, int64_t nanos) {
  return {.key = key, .month = month, .requests = requests, .nanos = nanos};
}

store::UsageRow drawn(store::Number organization, int64_t nanos) {
  return {.organization = organization, .counts = {.requests = 1, .drawn_nanos = nanos}};
}

// Gateway is one of several: the cells of key 1 and organization 1, and what it has counted and not
// yet written.
struct Gateway {
  LimitArena arena;
  KeyCells& key = arena.key(1);
  SpentCell& spent = arena.organization(1).spent;
  int64_t waiting = 0;

  void count(int64_t nanos) {
    key.requests.add(kNovember, 1);
    key.nanos.add(kNovember, static_cast<uint64_t>(nanos));
    spent.add(static_cast<uint64_t>(nanos));
    waiting += nanos;
    ++requests;
  }
  void learn(int64_t stored_requests, int64_t stored_nanos) {
    arena.learn(use(1, kNovember, stored_requests, stored_nanos), kNovember);
    arena.learn({.organization = 1, .spent_nanos = stored_nanos});
  }
  int64_t requests = 0;
};

TEST_CASE("spending: own amounts that come back from the store do not count again") {
  Gateway gateway;
  gateway.count(10);
  gateway.count(5);
  const auto uses = std::array{use(1, kNovember, 2, 15)};
  const auto rows = std::array{drawn(1, 10), drawn(1, 5)};
  gateway.arena.wrote(rows, uses);
  gateway.learn(2, 15);
  CHECK(gateway.key.requests.get(kNovember) == 2);
  CHECK(gateway.key.nanos.get(kNovember) == 15);
  CHECK(gateway.spent.get() == 15);
  // What others wrote meanwhile comes on top of what is not written yet.
  gateway.count(100);
  gateway.learn(5, 40);
  CHECK(gateway.key.requests.get(kNovember) == 6);
  CHECK(gateway.key.nanos.get(kNovember) == 140);
  CHECK(gateway.spent.get() == 140);
  gateway.learn(5, 40);
  CHECK(gateway.key.nanos.get(kNovember) == 140);
}

TEST_CASE("spending: two gateways, in any order of counting, writing and reading") {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    std::array<Gateway, 2> gateways;
    int64_t stored_requests = 0;
    int64_t stored_nanos = 0;
    const auto write = [&](Gateway& gateway) {
      const auto uses = std::array{use(1, kNovember, gateway.requests, gateway.waiting)};
      const auto rows = std::array{drawn(1, gateway.waiting)};
      stored_requests += gateway.requests;
      stored_nanos += gateway.waiting;
      gateway.arena.wrote(rows, uses);
      gateway.requests = gateway.waiting = 0;
    };
    int64_t total = 0;
    for (int step = 0; step < 60; ++step) {
      Gateway& gateway = gateways[random() % 2];
      switch (random() % 4) {
        case 0:
        case 1: {
          const auto nanos = static_cast<int64_t>(random() % 50);
          gateway.count(nanos);
          total += nanos;
          break;
        }
        case 2:
          write(gateway);
          break;
        case 3:
          gateway.learn(stored_requests, stored_nanos);
          // The invariant, exactly: stored + not written here.
          CHECK(gateway.key.nanos.get(kNovember) ==
                static_cast<uint64_t>(stored_nanos + gateway.waiting));
          CHECK(gateway.key.requests.get(kNovember) ==
                static_cast<uint64_t>(stored_requests + gateway.requests));
          CHECK(gateway.spent.get() == static_cast<uint64_t>(stored_nanos + gateway.waiting));
          break;
      }
    }
    for (Gateway& gateway : gateways) write(gateway);
    for (Gateway& gateway : gateways) {
      gateway.learn(stored_requests, stored_nanos);
      CHECK(gateway.spent.get() == static_cast<uint64_t>(total));
      CHECK(gateway.key.nanos.get(kNovember) == static_cast<uint64_t>(total));
    }
  }
}

TEST_CASE("spending: a month's end on either side of the store") {
  Gateway gateway;
  gateway.count(70);
  gateway.arena.wrote({}, std::array{use(1, kNovember, 1, 70)});
  // Another gateway's clock is ahead: not yet.
  gateway.arena.learn(use(1, kDecember, 9, 9), kNovember);
  CHECK(gateway.key.nanos.get(kNovember) == 70);
  gateway.arena.learn(use(1, kDecember, 9, 9), kDecember);
  CHECK(gateway.key.nanos.get(kDecember) == 9);
  // Own writes of November that came late are not in the store's December.
  gateway.arena.wrote({}, std::array{use(1, kNovember, 1, 1'000)});
  gateway.arena.learn(use(1, kDecember, 10, 10), kDecember);
  CHECK(gateway.key.nanos.get(kDecember) == 10);
  CHECK(gateway.key.requests.get(kDecember) == 10);
  // Of November the store says no more, and nothing that is read of it counts.
  gateway.arena.learn(use(1, kNovember, 500, 500), kDecember);
  CHECK(gateway.key.nanos.get(kDecember) == 10);
}

TEST_CASE("spending: a store that has lost sums takes nothing away, and goes on from there") {
  Gateway gateway;
  gateway.learn(50, 500);
  gateway.learn(2, 20);  // began anew
  CHECK(gateway.key.nanos.get(kNovember) == 500);
  CHECK(gateway.spent.get() == 500);
  gateway.learn(3, 27);
  CHECK(gateway.key.requests.get(kNovember) == 51);
  CHECK(gateway.key.nanos.get(kNovember) == 507);
  CHECK(gateway.spent.get() == 507);
}

TEST_CASE("spending: a cell that was emptied is raised to what the store has in all") {
  Gateway gateway;
  gateway.learn(5, 50);
  gateway.key.nanos.add(kNovember + 7, 1);  // a clock that was wrong for a moment
  CHECK(gateway.key.nanos.get(kNovember) == 0);
  gateway.learn(6, 60);
  CHECK(gateway.key.nanos.get(kNovember) == 60);
}

TEST_CASE("spending: what has no cells is passed over, and sums stay at the largest") {
  LimitArena arena;
  arena.learn(use(7, kNovember, 5, 5), kNovember);
  arena.learn({.organization = 7, .spent_nanos = 5});
  arena.wrote(std::array{drawn(7, 5), drawn(0, 5)}, std::array{use(7, kNovember, 1, 1)});
  CHECK(arena.key(7).requests.get(kNovember) == 0);
  CHECK(arena.organization(7).spent.get() == 0);
  arena.learn(use(7, kNovember, INT64_MAX, INT64_MAX), kNovember);
  arena.learn({.organization = 7, .spent_nanos = INT64_MAX});
  arena.wrote(std::array{drawn(7, INT64_MAX), drawn(7, INT64_MAX)},
              std::array{use(7, kNovember, INT64_MAX, INT64_MAX)});
  arena.learn(use(7, kNovember, INT64_MAX, -1), kNovember);
  CHECK(arena.key(7).nanos.get(kNovember) == MonthCell::kSumMax);
  CHECK(arena.organization(7).spent.get() == static_cast<uint64_t>(INT64_MAX));
}

}  // namespace
}  // namespace flexd::account
