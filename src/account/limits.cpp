#include "flexd/account/limits.hpp"

#include <algorithm>

#include "flexd/base/assert.hpp"

namespace flexd::account {
namespace {

// A WindowCell's word: the second its window began (32 bits), then the count. 0 is a window that is
// long over.
constexpr unsigned kWindowCountBits = 32;

// is_under_way: `now_s` is in the window that began at `start_s`, or behind it by less than one.
bool is_under_way(uint64_t start_s, uint64_t now_s) {
  const uint64_t apart = now_s > start_s ? now_s - start_s : start_s - now_s;
  return apart < WindowCell::kWindowSeconds;
}

// A MonthCell's word: the month (12 bits), then the sum. A sum of 0 says nothing of any month.
constexpr unsigned kSumBits = 52;
constexpr uint64_t kMonthMask = 0xFFF;
static_assert(MonthCell::kSumMax == (uint64_t{1} << kSumBits) - 1);

uint64_t sum_in(uint64_t cell) {
  return cell & MonthCell::kSumMax;
}
uint64_t make_month_cell(uint64_t month, uint64_t sum) {
  return (month & kMonthMask) << kSumBits | std::min(sum, MonthCell::kSumMax);
}
// months_ahead is how far the cell's month is ahead of `month`, from -2048 to 2047.
int months_ahead(uint64_t cell, int32_t month) {
  const uint64_t apart = ((cell >> kSumBits) - static_cast<uint64_t>(month)) & kMonthMask;
  return apart > kMonthMask / 2 ? static_cast<int>(apart) - static_cast<int>(kMonthMask) - 1
                                : static_cast<int>(apart);
}
// for_month is the cell as it stands for `month`: as it is if that is what it counts, else empty.
uint64_t for_month(uint64_t cell, int32_t month) {
  const int ahead = months_ahead(cell, month);
  if (sum_in(cell) != 0 && (ahead == 0 || ahead == 1)) return cell;
  return make_month_cell(static_cast<uint64_t>(month), 0);
}
uint64_t with_added(uint64_t cell, uint64_t amount) {
  const uint64_t sum = sum_in(cell);
  const uint64_t room = MonthCell::kSumMax - sum;
  return make_month_cell(cell >> kSumBits, sum + std::min(amount, room));
}

// plus stays at the largest number.
uint64_t plus(uint64_t a, uint64_t b) {
  return a + std::min(b, UINT64_MAX - a);
}

// The store's numbers are not negative.
uint64_t from_store(int64_t number) {
  return static_cast<uint64_t>(std::max<int64_t>(number, 0));
}

// beyond is what `now` has more than `before`, which becomes `now`.
uint64_t beyond(uint64_t& before, uint64_t now) {
  const uint64_t more = now > before ? now - before : 0;
  before = now;
  return more;
}

}  // namespace

bool RaceSlots::try_acquire(uint32_t limit) {
  uint32_t taken = in_use_.load(std::memory_order_relaxed);
  while (taken < limit) {
    if (in_use_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

void RaceSlots::release() {
  const uint32_t before = in_use_.fetch_sub(1, std::memory_order_relaxed);
  FLEXD_ASSERT(before > 0);
}

bool RateCell::admit(uint64_t now_ns, Rate rate) {
  if (rate.per_second == 0) return true;
  const uint64_t interval_ns = std::max<uint64_t>(1'000'000'000 / rate.per_second, 1);
  const uint64_t tolerance_ns = (std::max(rate.burst, 1U) - 1) * interval_ns;
  uint64_t due_ns = due_ns_.load(std::memory_order_relaxed);
  for (;;) {
    // A due time in the past means that the whole burst is there again.
    const uint64_t from_ns = std::max(due_ns, now_ns);
    if (from_ns - now_ns > tolerance_ns) return false;
    if (due_ns_.compare_exchange_weak(due_ns, from_ns + interval_ns, std::memory_order_relaxed)) {
      return true;
    }
  }
}

Window WindowCell::admit(uint64_t unix_s, uint32_t limit) {
  FLEXD_ASSERT(limit > 0);
  uint64_t cell = cell_.load(std::memory_order_relaxed);
  for (;;) {
    uint64_t start_s = cell >> kWindowCountBits;
    auto count = static_cast<uint32_t>(cell);
    if (!is_under_way(start_s, unix_s)) {
      start_s = unix_s & UINT32_MAX;
      count = 0;
    }
    const uint64_t resets_at_s = start_s + kWindowSeconds;
    if (count >= limit) return {false, 0, resets_at_s};
    ++count;
    const uint64_t next = start_s << kWindowCountBits | count;
    if (cell_.compare_exchange_weak(cell, next, std::memory_order_relaxed)) {
      return {true, limit - count, resets_at_s};
    }
  }
}

uint64_t MonthCell::get(int32_t month) const {
  return sum_in(for_month(cell_.load(std::memory_order_relaxed), month));
}

void MonthCell::add(int32_t month, uint64_t amount) {
  if (amount == 0) return;
  uint64_t cell = cell_.load(std::memory_order_relaxed);
  while (!cell_.compare_exchange_weak(cell, with_added(for_month(cell, month), amount),
                                      std::memory_order_relaxed)) {
  }
}

bool MonthCell::try_add(int32_t month, uint64_t amount, uint64_t limit) {
  limit = std::min(limit, kSumMax);
  uint64_t cell = cell_.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t now = for_month(cell, month);
    if (sum_in(now) >= limit) return false;
    if (cell_.compare_exchange_weak(cell, with_added(now, amount), std::memory_order_relaxed)) {
      return true;
    }
  }
}

void MonthCell::raise(int32_t month, uint64_t sum, uint64_t more) {
  if (sum == 0 && more == 0) return;
  uint64_t cell = cell_.load(std::memory_order_relaxed);
  for (;;) {
    const int ahead = months_ahead(cell, month);
    const uint64_t has = sum_in(cell);
    if (has != 0 && ahead == 1) return;
    const uint64_t grown = has != 0 && ahead == 0 ? plus(has, more) : more;
    const uint64_t next = make_month_cell(static_cast<uint64_t>(month), std::max(grown, sum));
    if (next == cell) return;
    if (cell_.compare_exchange_weak(cell, next, std::memory_order_relaxed)) return;
  }
}

void SpentCell::add(uint64_t nanos) {
  raise(0, nanos);
}

void SpentCell::raise(uint64_t nanos, uint64_t more) {
  uint64_t spent = nanos_.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t next = std::max(plus(spent, more), nanos);
    if (next == spent) return;
    if (nanos_.compare_exchange_weak(spent, next, std::memory_order_relaxed)) return;
  }
}

OrganizationCells& LimitArena::organization(store::Number number) {
  std::unique_ptr<OrganizationEntry>& place = organizations_[number];
  if (!place) place = std::make_unique<OrganizationEntry>();
  return place->cells;
}

KeyCells& LimitArena::key(store::Number number) {
  std::unique_ptr<KeyEntry>& place = keys_[number];
  if (!place) place = std::make_unique<KeyEntry>();
  return place->cells;
}

void LimitArena::learn(const store::KeyUse& stored, int32_t month) {
  const auto found = keys_.find(stored.key);
  if (found == keys_.end() || stored.month != month) return;
  KeyEntry& entry = *found->second;
  if (entry.stored_month != month) {
    entry.stored_month = month;
    entry.stored_requests = entry.stored_nanos = 0;
  }
  const uint64_t requests = from_store(stored.requests);
  const uint64_t nanos = from_store(stored.nanos);
  entry.cells.requests.raise(month, requests, beyond(entry.stored_requests, requests));
  entry.cells.nanos.raise(month, nanos, beyond(entry.stored_nanos, nanos));
}

void LimitArena::learn(const store::OrganizationSpending& stored) {
  const auto found = organizations_.find(stored.organization);
  if (found == organizations_.end()) return;
  OrganizationEntry& entry = *found->second;
  const uint64_t nanos = from_store(stored.spent_nanos);
  entry.cells.spent.raise(nanos, beyond(entry.stored_nanos, nanos));
}

void LimitArena::wrote(std::span<const store::UsageRow> rows, std::span<const store::KeyUse> uses) {
  for (const store::UsageRow& row : rows) {
    if (row.counts.drawn_nanos == 0) continue;
    const auto found = organizations_.find(row.organization);
    if (found == organizations_.end()) continue;
    uint64_t& stored = found->second->stored_nanos;
    stored = plus(stored, from_store(row.counts.drawn_nanos));
  }
  for (const store::KeyUse& use : uses) {
    const auto found = keys_.find(use.key);
    if (found == keys_.end()) continue;
    KeyEntry& entry = *found->second;
    if (use.month == entry.stored_month - 1) continue;  // it came late
    if (use.month != entry.stored_month) {
      entry.stored_month = use.month;
      entry.stored_requests = entry.stored_nanos = 0;
    }
    entry.stored_requests = plus(entry.stored_requests, from_store(use.requests));
    entry.stored_nanos = plus(entry.stored_nanos, from_store(use.nanos));
  }
}

}  // namespace flexd::account
