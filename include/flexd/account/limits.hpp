// limits.hpp: the few words that workers share to hold an organization to its limits.
//
// Each limit is one atomic, changed without locks. The cells live apart from snapshots, in a
// LimitArena, so that a reload of keys resets no limit; the limits' sizes stand in the snapshot.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

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

// OrganizationCells are the shared words of one organization, on a cache line of their own.
struct alignas(64) OrganizationCells {
  RaceSlots race_slots;
  RateCell requests;
};

// LimitArena owns the cells by organization id for the life of the process. For one thread
// (control); the cells it gives out are for all.
class LimitArena {
 public:
  LimitArena() = default;
  LimitArena(const LimitArena&) = delete;
  LimitArena& operator=(const LimitArena&) = delete;

  // organization is the cells of `id`, made at the first call. They never move.
  OrganizationCells& organization(std::string_view id);

 private:
  std::map<std::string, std::unique_ptr<OrganizationCells>, std::less<>> organizations_;
};

}  // namespace flexd::account
