// limits.hpp: the few words that workers share to hold organizations and keys to their limits.
//
// Each limit is one atomic, changed without locks. The cells live apart from snapshots, in a
// LimitArena, so that a reload of keys resets no limit; the limits' sizes stand in the snapshot.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
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
  // raise adds `more` to the sum of `month`, which is the running one, and makes it at least `sum`:
  // what other gateways wrote, and what the store has in all. A cell one month ahead is that of a
  // worker past the turn, and stays; one further ahead was counted under a wrong clock, and is
  // replaced like one behind.
  void raise(int32_t month, uint64_t sum, uint64_t more = 0);

 private:
  std::atomic<uint64_t> cell_{0};
};

// SpentCell is what was drawn from prepaid credit, in nano-dollars; it only grows, and stays at the
// largest number.
class SpentCell {
 public:
  uint64_t get() const { return nanos_.load(std::memory_order_relaxed); }
  void add(uint64_t nanos);
  // raise adds `more`, and makes it at least `nanos`.
  void raise(uint64_t nanos, uint64_t more = 0);

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
// thread that builds snapshots and writes usage; the cells it gives out are for all, and never
// move.
//
// Several gateways share budgets and credit by their store. What holds of every cell of a budget or
// a credit, at any time:
//
//   cell >= what the store had when it was last read + what is counted here and not written there
//
// and no more than that but for requests that were let through and never written (under way, lost),
// and for sums that the store has lost. To keep it, the arena remembers of each cell what the store
// must have as far as this gateway knows: what it read, plus what it has written itself since
// (`wrote`). What a later reading (`learn`) has beyond that was written by others, and is added to
// the cell; what was counted here is in the cell already, and is not added again when it comes back
// from the store. Nothing counts twice, and nothing is lost, in whatever order gateways read and
// write, as long as each says `wrote` after its own writes and before the next `learn`.
//
// A store that has less than is remembered (a gateway with a wrong clock began the month anew, or
// the file was replaced by an older one) takes nothing from the cell.
class LimitArena {
 public:
  LimitArena() = default;
  LimitArena(const LimitArena&) = delete;
  LimitArena& operator=(const LimitArena&) = delete;

  // organization and key are the cells of `number`, made at the first call.
  OrganizationCells& organization(store::Number number);
  KeyCells& key(store::Number number);

  // learn takes what was read from the store: the sums of a key's month, the spending of an
  // organization. It passes over those without cells, and over sums of another month than
  // `month`, the running one: they are over, or another gateway's clock is ahead, and what is read
  // after the turn has them.
  void learn(const store::KeyUse& stored, int32_t month);
  void learn(const store::OrganizationSpending& stored);
  // wrote is told what the store has just taken from this gateway (Store::record_usage).
  void wrote(std::span<const store::UsageRow> rows, std::span<const store::KeyUse> uses);

 private:
  struct OrganizationEntry {
    OrganizationCells cells;
    uint64_t stored_nanos = 0;  // as far as is known
  };
  struct KeyEntry {
    KeyCells cells;
    // As far as is known, by the same rule by which the store keeps one month.
    int32_t stored_month = 0;
    uint64_t stored_requests = 0;
    uint64_t stored_nanos = 0;
  };

  std::unordered_map<store::Number, std::unique_ptr<OrganizationEntry>> organizations_;
  std::unordered_map<store::Number, std::unique_ptr<KeyEntry>> keys_;
};

}  // namespace flexd::account
