// limits.hpp: the few words that workers share to hold organizations and keys to their limits.
//
// Each limit is one atomic, changed without locks. The cells live apart from snapshots, in a
// LimitArena, so that a reload of keys resets no limit; the limits' sizes stand in the snapshot.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "flexd/store/types.hpp"

namespace flexd::account {

// RaceSlots counts the races that an organization has under way, over all workers.
class RaceSlots {
 public:
  // try_acquire takes a slot if fewer than `limit` are taken; each one taken must be released.
  [[nodiscard]] bool try_acquire(uint32_t limit);
  void release();
  uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> in_use_{0};
};

// Rate is a limit of so many per second on average, and `burst` at once. 0 per second: no limit.
struct Rate {
  uint32_t per_second = 0;
  uint32_t burst = 0;  // 0 counts as 1
};

// RateCell holds requests to a Rate by the generic cell rate algorithm (ITU-T I.371): one word, the
// time at which the next request would be exactly on schedule. Workers race by compare-and-swap, so
// the limit is exact over all of them as far as their clocks agree.
class RateCell {
 public:
  // admit counts one request at `now_ns` (monotonic), unless it is over the limit.
  [[nodiscard]] bool admit(uint64_t now_ns, Rate rate);

 private:
  std::atomic<uint64_t> due_ns_{0};
};

// Window is what a WindowCell says of a request: whether it is within the limit, how many more are,
// and when the count begins anew (Unix seconds; 0 without a limit).
struct Window {
  bool admitted = true;
  uint32_t remaining = 0;
  uint64_t resets_at_s = 0;
};

// WindowCell counts requests in windows of one minute, each of which begins with the first request
// after the last one's end: one word, the second it began and the count. A worker whose clock is
// behind by less than a window counts into the window under way; behind by more, the clock was set
// back, and a window begins.
class WindowCell {
 public:
  static constexpr uint64_t kWindowSeconds = 60;

  // admit counts one request at `unix_s` against `limit`, which is above 0. Those over the limit do
  // not count.
  Window admit(uint64_t unix_s, uint32_t limit);

 private:
  std::atomic<uint64_t> cell_{0};
};

// MonthCell adds up in calendar months (store::month_of): one word, the month (12 bits, which turn
// round after 341 years) and the sum (52 bits, at which it stays). A month begins at 0 with the
// first thing said of it. The month before the one that is counted is a worker's clock a moment
// behind, and is taken for the one that is counted; any other month begins anew.
class MonthCell {
 public:
  // kSumMax is the largest sum: in nano-dollars, 4.5 million dollars in a month.
  static constexpr uint64_t kSumMax = (uint64_t{1} << 52U) - 1;

  // get is the sum of `month`; 0 if another month is counted.
  uint64_t get(int32_t month) const;
  void add(int32_t month, uint64_t amount);
  // try_add adds `amount` unless the sum is `limit` or more already. A limit above kSumMax holds as
  // kSumMax.
  [[nodiscard]] bool try_add(int32_t month, uint64_t amount, uint64_t limit);
  // raise makes the sum of `month`, which is the running one, at least `sum`: what a store knows,
  // and other gateways wrote. A cell one month ahead is that of a worker past the turn, and stays;
  // one further ahead was counted under a wrong clock, and is replaced like one behind.
  void raise(int32_t month, uint64_t sum);

 private:
  std::atomic<uint64_t> cell_{0};
};

// SpentCell is what was drawn from prepaid credit, in nano-dollars; it only grows, and stays at the
// largest number.
class SpentCell {
 public:
  uint64_t get() const { return nanos_.load(std::memory_order_relaxed); }
  void add(uint64_t nanos);
  // raise makes it at least `nanos`.
  void raise(uint64_t nanos);

 private:
  std::atomic<uint64_t> nanos_{0};
};

// OrganizationCells are the shared words of one organization, on a cache line of their own.
struct alignas(64) OrganizationCells {
  RaceSlots race_slots;
  RateCell requests;
  SpentCell spent;
};

// KeyCells are the shared words of one key with a ceiling or a budget.
struct alignas(64) KeyCells {
  WindowCell ceiling;
  MonthCell requests;
  MonthCell nanos;
};

// LimitArena owns the cells by number (store/types.hpp) for the life of the process. For the one
// thread that builds snapshots; the cells it gives out are for all, and never move.
class LimitArena {
 public:
  LimitArena() = default;
  LimitArena(const LimitArena&) = delete;
  LimitArena& operator=(const LimitArena&) = delete;

  // organization and key are the cells of `number`, made at the first call.
  OrganizationCells& organization(store::Number number);
  KeyCells& key(store::Number number);

 private:
  std::unordered_map<store::Number, std::unique_ptr<OrganizationCells>> organizations_;
  std::unordered_map<store::Number, std::unique_ptr<KeyCells>> keys_;
};

}  // namespace flexd::account
