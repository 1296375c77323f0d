#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "flexd/base/timer_wheel.hpp"

using namespace flexd;

namespace {

constexpr uint64_t kTick = TimerWheel::kTickNs;

struct Probe {
  Probe() : timer(timer_callback<Probe, &Probe::on_timer>, this) {}
  void on_timer() {
    fired++;
    if (log != nullptr) log->push_back(expiry_ns);
  }
  Timer timer;
  uint64_t expiry_ns = 0;
  std::vector<uint64_t>* log = nullptr;
  int fired = 0;
};

// sleep_until steps a wheel as a loop would, by next_expiry_ns, and returns how many wake-ups it
// took.
int sleep_until(TimerWheel& wheel, uint64_t now_ns, uint64_t end_ns) {
  int steps = 0;
  while (wheel.next_expiry_ns() <= end_ns) {
    now_ns = std::max(now_ns, wheel.next_expiry_ns());
    wheel.advance(now_ns);
    steps++;
  }
  return steps;
}

}  // namespace

TEST_CASE("timer wheel: every slot of every wheel, from several starts") {
  for (const uint64_t start_tick : {0ULL, 1ULL, 62ULL, 63ULL, 64ULL, 4095ULL, 123'456'789ULL,
                                    (1ULL << 36U) - 1, (1ULL << 36U) + 5}) {
    for (uint32_t level = 0; level < 6; level++) {
      for (uint64_t slot = 1; slot < 64; slot++) {
        CAPTURE(start_tick);
        CAPTURE(level);
        CAPTURE(slot);
        const uint64_t start_ns = start_tick * kTick + 17;
        TimerWheel wheel(start_ns);
        Probe probe;
        const uint64_t expiry_ns = start_ns + (slot << (6 * level)) * kTick + slot * 1000;
        wheel.set(probe.timer, expiry_ns);
        REQUIRE(wheel.next_expiry_ns() <= expiry_ns);
        wheel.advance(expiry_ns - 1);
        REQUIRE(probe.fired == 0);
        REQUIRE(wheel.next_expiry_ns() == expiry_ns);
        wheel.advance(expiry_ns);
        REQUIRE(probe.fired == 1);
        REQUIRE(wheel.count() == 0);
        REQUIRE(wheel.next_expiry_ns() == UINT64_MAX);
      }
    }
  }
}

TEST_CASE("timer wheel: a sleeper wakes few times and fires exactly") {
  TimerWheel wheel(5 * kTick);
  Probe probe;
  const uint64_t expiry_ns = 900'000'123'456;
  wheel.set(probe.timer, expiry_ns);
  CHECK(sleep_until(wheel, 5 * kTick, expiry_ns - 1) <= 6);
  CHECK(probe.fired == 0);
  CHECK(wheel.next_expiry_ns() == expiry_ns);
  wheel.advance(expiry_ns);
  CHECK(probe.fired == 1);
}

TEST_CASE("timer wheel: at random against a sorted list") {
  for (uint32_t seed = 1; seed <= 40; seed++) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    uint64_t now_ns = random() % (1ULL << 50U);
    TimerWheel wheel(now_ns);
    std::vector<std::unique_ptr<Probe>> probes;
    std::vector<uint64_t> order;
    for (int i = 0; i < 200; i++) {
      probes.push_back(std::make_unique<Probe>());
      probes.back()->log = &order;
    }
    for (int step = 0; step < 2000; step++) {
      Probe& probe = *probes[random() % probes.size()];
      const uint64_t kind = random() % 8;
      if (kind < 4) {
        const uint64_t span = 1ULL << (random() % 48);
        probe.expiry_ns = now_ns + random() % span;
        wheel.set(probe.timer, probe.expiry_ns);
      } else if (kind == 4) {
        probe.timer.cancel();
      } else {
        uint64_t earliest = UINT64_MAX;
        size_t set = 0;
        for (const auto& each : probes) {
          if (!each->timer.is_set()) continue;
          set++;
          earliest = std::min(earliest, each->expiry_ns);
        }
        REQUIRE(wheel.count() == set);
        REQUIRE(wheel.next_expiry_ns() <= earliest);
        now_ns += random() % (1ULL << (random() % 44));
        std::vector<uint64_t> due;
        for (const auto& each : probes) {
          if (each->timer.is_set() && each->expiry_ns <= now_ns) due.push_back(each->expiry_ns);
        }
        order.clear();
        wheel.advance(now_ns);
        // In order of ticks; all of those due and no other.
        const auto tick_less = [](uint64_t a, uint64_t b) { return a / kTick < b / kTick; };
        REQUIRE(std::is_sorted(order.begin(), order.end(), tick_less));
        std::sort(due.begin(), due.end());
        std::sort(order.begin(), order.end());
        REQUIRE(order == due);
      }
    }
  }
}

TEST_CASE("timer wheel: callbacks set, cancel and destroy") {
  TimerWheel wheel(0);
  struct Chain {
    Chain(TimerWheel& w) : wheel(w), timer(timer_callback<Chain, &Chain::on_timer>, this) {}
    void on_timer() {
      fired++;
      victim.reset();       // cancelled by its destructor
      wheel.set(timer, 0);  // in the past: the next advance
    }
    TimerWheel& wheel;
    Timer timer;
    std::unique_ptr<Probe> victim = std::make_unique<Probe>();
    int fired = 0;
  };
  Chain chain(wheel);
  wheel.set(chain.victim->timer, 2 * kTick);
  wheel.set(chain.timer, kTick);
  wheel.advance(10 * kTick);
  CHECK(chain.fired == 1);
  CHECK(wheel.count() == 1);
  CHECK(wheel.next_expiry_ns() == 0);
  wheel.advance(10 * kTick);
  CHECK(chain.fired == 2);
  chain.timer.cancel();
  CHECK(wheel.count() == 0);
}

TEST_CASE("timer wheel: timers outlive the wheel") {
  Probe probe;
  {
    TimerWheel wheel(0);
    wheel.set(probe.timer, kTick * 1000);
  }
  CHECK_FALSE(probe.timer.is_set());
}

TEST_CASE("timer wheel: setting again replaces") {
  TimerWheel wheel(0);
  Probe probe;
  wheel.set(probe.timer, 5 * kTick);
  wheel.set(probe.timer, 500 * kTick);
  CHECK(wheel.count() == 1);
  wheel.advance(499 * kTick);
  CHECK(probe.fired == 0);
  wheel.advance(500 * kTick);
  CHECK(probe.fired == 1);
}
