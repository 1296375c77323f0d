// chaos.hpp: what random simulations share: seeds, chance, and providers that break off anywhere.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "provider.hpp"

namespace flexd::sim_test {

// kEveryday is how many seeds a normal run tries.
#ifdef FLEXD_SANITIZE
inline constexpr uint64_t kEveryday = 300;
#else
inline constexpr uint64_t kEveryday = 1500;
#endif

inline uint64_t number_of(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t below(uint64_t bound) { return engine_() % bound; }
  bool one_in(uint64_t count) { return below(count) == 0; }
  uint64_t span(uint64_t from, uint64_t to) { return from + below(to - from + 1); }

 private:
  std::mt19937_64 engine_;
};

// for_each_seed runs `everyday` seeds, or FLEXD_SIM_SEEDS of them, or FLEXD_SIM_SEED alone.
template <typename Run>
void for_each_seed(uint64_t everyday, Run run) {
  const uint64_t one = number_of("FLEXD_SIM_SEED", 0);
  const uint64_t count = one != 0 ? 1 : number_of("FLEXD_SIM_SEEDS", everyday);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t seed = one != 0 ? one : i + 1;
    INFO("run it alone with FLEXD_SIM_SEED=", seed);
    run(seed);
  }
}

// send_pieces sends a text cut anywhere, with pauses.
inline void send_pieces(Random& random, Play& play, const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t size = random.one_in(3) ? random.span(1, 40) : random.span(100, 4000);
    play.send(text.substr(at, size));
    at += size;
    if (random.one_in(6)) play.wait(random.span(1, 3000) * kMs);
  }
}

// break_off ends an answer in the middle, in any of the ways there are.
inline void break_off(Random& random, Play& play) {
  switch (random.below(6)) {
    case 0:
      play.abort();
      break;
    case 1:
      play.close();
      break;
    case 2:
      play.finish();
      break;
    case 3:
      play.wait(200 * kSecond).reset(kInternalCode);  // a long silence
      break;
    default:
      play.reset(kInternalCode);
      break;
  }
}

}  // namespace flexd::sim_test
