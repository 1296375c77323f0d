// random.hpp: the simulation's generator (splitmix64, Steele and others 2014): small, fast, seeded.
#pragma once

#include <cstdint>

#include "flexd/base/assert.hpp"

namespace flexd::io::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  // below draws from [0, bound); bound > 0. The bias of the modulus does not matter here.
  uint64_t below(uint64_t bound) {
    FLEXD_ASSERT(bound > 0);
    return next() % bound;
  }
  // chance draws nothing for 0, so that a fault that is off does not shift the others.
  bool chance(double probability) {
    if (probability <= 0) return false;
    return static_cast<double>(next() >> 11U) * 0x1p-53 < probability;
  }
  // piece cuts `count` (> 0) down: often to one, often to a few, else anywhere up to all.
  uint64_t piece(uint64_t count) {
    const uint64_t kind = below(3);
    if (kind == 0) return 1;
    if (kind == 1) return 1 + below(count < 16 ? count : 16);
    return 1 + below(count);
  }

 private:
  uint64_t state_;
};

}  // namespace flexd::io::sim
