#include "flexd/account/auth_failures.hpp"

#include <algorithm>
#include <cstring>

namespace flexd::account {
namespace {

// A cell: tag in the top 22 bits, then the second its window began (26 bits, which turn round in
// two years), then the count. 0 is free; a tag is never 0.
constexpr unsigned kCountBits = 16;
constexpr unsigned kStartBits = 26;
constexpr unsigned kTagBits = 22;
constexpr uint64_t kCountMask = (uint64_t{1} << kCountBits) - 1;
constexpr uint64_t kStartMask = (uint64_t{1} << kStartBits) - 1;
constexpr uint64_t kTagMask = (uint64_t{1} << kTagBits) - 1;
static_assert(kCountBits + kStartBits + kTagBits == 64);
static_assert(AuthFailures::kLimitMax < kCountMask);

// kTries bounds the work under contention.
constexpr int kTries = 16;

uint64_t tag_of(uint64_t cell) {
  return cell >> (kCountBits + kStartBits);
}
uint64_t count_of(uint64_t cell) {
  return cell & kCountMask;
}
uint64_t make_cell(uint64_t tag, uint64_t start_s, uint64_t count) {
  return tag << (kCountBits + kStartBits) | (start_s & kStartMask) << kCountBits | count;
}
// age_of is how long ago a cell's window began, in seconds. A worker whose clock was read a moment
// earlier may see a start in its future: that is age 0.
uint64_t age_of(uint64_t cell, uint64_t now_s) {
  const uint64_t age = (now_s - (cell >> kCountBits)) & kStartMask;
  return age > kStartMask / 2 ? 0 : age;
}

// mix is the finalizer of splitmix64.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

// hash_of hashes the part of an address that counts.
uint64_t hash_of(const IpBytes& ip, uint64_t seed) {
  uint64_t high = 0;
  std::memcpy(&high, ip.data(), 8);
  uint32_t low = 0;
  const bool v4 = is_v4(ip);
  if (v4) std::memcpy(&low, ip.data() + kV4PrefixBits / 8, 4);
  const uint64_t first = mix(high ^ seed);
  return mix(first + (uint64_t{low} << 1U | (v4 ? 1U : 0U)) * 0x9E3779B97F4A7C15U + seed);
}

}  // namespace

AuthFailures::AuthFailures(uint32_t per_minute, uint64_t seed)
    : limit_(std::min(per_minute, kLimitMax)), seed_(seed), cells_(kSets * kWays) {}

std::atomic<uint64_t>* AuthFailures::set_of(const IpBytes& ip, uint64_t& tag) {
  const uint64_t hash = hash_of(ip, seed_);
  tag = std::max<uint64_t>(hash & kTagMask, 1);
  return &cells_[(hash >> kTagBits) % kSets * kWays];
}

bool AuthFailures::record_failure(const IpBytes& ip, uint64_t now_ns) {
  if (limit_ == 0) return false;
  uint64_t tag = 0;
  std::atomic<uint64_t>* set = set_of(ip, tag);
  const uint64_t now_s = now_ns / 1'000'000'000;
  for (int tries = 0; tries < kTries; ++tries) {
    size_t chosen = kWays;
    uint64_t chosen_cell = 0;
    uint64_t chosen_age = 0;
    uint64_t next = make_cell(tag, now_s, 1);
    for (size_t way = 0; way < kWays; ++way) {
      const uint64_t cell = set[way].load(std::memory_order_relaxed);
      const uint64_t age = cell == 0 ? UINT64_MAX : age_of(cell, now_s);
      if (tag_of(cell) == tag) {
        chosen = way;
        chosen_cell = cell;
        if (age < kWindowSeconds) next = cell + (count_of(cell) < kCountMask ? 1 : 0);
        break;
      }
      if (chosen == kWays || age > chosen_age) {
        chosen = way;
        chosen_cell = cell;
        chosen_age = age;
      }
    }
    if (set[chosen].compare_exchange_strong(chosen_cell, next, std::memory_order_relaxed)) {
      return count_of(next) > limit_;
    }
  }
  return false;
}

}  // namespace flexd::account
