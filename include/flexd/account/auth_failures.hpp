// auth_failures.hpp: counts failed authentications by client address, in bounded memory.
//
// Shared by all workers without locks. Failures count in windows of one minute that begin with an
// address's first failure. An IPv4 address counts by itself, an IPv6 address by its /64, which is
// what one subscriber is given.
//
// The table is set-associative: 16,384 sets of 4 cells of 8 bytes, 512 KB. A cell holds a tag of 22
// bits, the second its window began and the count; the set and the tag together are 36 bits of a
// hash keyed with a seed that nobody outside knows. When a set is full, a cell whose window is over
// is taken, else the one whose window began first. Someone with a great many addresses can
// therefore push others out: the cost is that a pushed-out address starts counting afresh. Two
// addresses that share set and tag (1 in 2^20 for a full set) share a count: a wrong key may then
// get a 429 early; a right key is never refused by this table.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "flexd/base/ip.hpp"

namespace flexd::account {

class AuthFailures {
 public:
  static constexpr uint64_t kWindowSeconds = 60;
  static constexpr size_t kWays = 4;
  static constexpr size_t kSets = 16'384;
  // kLimitMax is the largest limit that a cell can count to.
  static constexpr uint32_t kLimitMax = 65'534;

  // A table that admits `per_minute` failures of an address in a window; 0 is no limit, and more
  // than kLimitMax counts as that. `seed` is secret and random.
  AuthFailures(uint32_t per_minute, uint64_t seed);
  AuthFailures(const AuthFailures&) = delete;
  AuthFailures& operator=(const AuthFailures&) = delete;

  // record_failure counts one failure of `ip` at `now_ns` (monotonic, of any worker) and returns
  // whether it is over the limit: answer 429 instead of 401. Under contention of threads it errs
  // on the side of the caller by at most one per thread.
  bool record_failure(const IpBytes& ip, uint64_t now_ns);

  size_t memory_bytes() const { return cells_.size() * sizeof(cells_[0]); }

 private:
  std::atomic<uint64_t>* set_of(const IpBytes& ip, uint64_t& tag);

  uint32_t limit_;
  uint64_t seed_;
  std::vector<std::atomic<uint64_t>> cells_;
};

}  // namespace flexd::account
