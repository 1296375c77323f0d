#include "flexd/account/limits.hpp"

#include <algorithm>

#include "flexd/base/assert.hpp"

namespace flexd::account {

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

OrganizationCells& LimitArena::organization(std::string_view id) {
  auto place = organizations_.find(id);
  if (place == organizations_.end()) {
    place = organizations_.emplace(std::string(id), std::make_unique<OrganizationCells>()).first;
  }
  return *place->second;
}

}  // namespace flexd::account
