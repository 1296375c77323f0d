#include "usage_backlog.hpp"

#include <algorithm>

namespace flexd::app {
namespace {

template <typename Row>
store::UsageRow to_row(const Row& waiting) {
  const auto& [place, counts] = waiting;
  const auto& [organization, key, day, model, provider, asked, served, reason] = place;
  return {.organization = organization,
          .key = key,
          .day = day,
          .model = model,
          .provider = provider,
          .tier_asked = asked,
          .tier_served = served,
          .reason = reason,
          .counts = counts};
}

void add_up(int64_t& sum, int64_t number) {
  if (__builtin_add_overflow(sum, number, &sum)) sum = INT64_MAX;
}

}  // namespace

void UsageBacklog::add(std::vector<store::UsageRow> rows, const std::vector<store::KeyUse>& uses) {
  for (store::UsageRow& row : rows) {
    Place place(row.organization, row.key, row.day, std::move(row.model), std::move(row.provider),
                std::move(row.tier_asked), std::move(row.tier_served), std::move(row.reason));
    const auto found = rows_.find(place);
    if (found != rows_.end()) {
      found->second += row.counts;
    } else if (rows_.size() < rows_max_) {
      rows_.emplace(std::move(place), row.counts);
    } else {
      lost_ += static_cast<uint64_t>(row.counts.requests);
    }
  }
  for (const store::KeyUse& use : uses) {
    const auto found = uses_.find({use.key, use.month});
    if (found != uses_.end()) {
      add_up(found->second.requests, use.requests);
      add_up(found->second.nanos, use.nanos);
      found->second.last_used_at_s = std::max(found->second.last_used_at_s, use.last_used_at_s);
    } else if (uses_.size() < rows_max_) {
      uses_.emplace(std::pair(use.key, use.month), use);
    }
  }
}

store::StoreResult<void> UsageBacklog::write(const Record& record) {
  if (empty()) return {};
  std::vector<store::UsageRow> rows;
  rows.reserve(rows_.size());
  for (const auto& waiting : rows_) rows.push_back(to_row(waiting));
  std::vector<store::KeyUse> uses;
  uses.reserve(uses_.size());
  for (const auto& [place, use] : uses_) uses.push_back(use);
  auto recorded = record(rows, uses);
  if (recorded) {
    rows_.clear();
    uses_.clear();
    return {};
  }
  if (recorded.error().kind == store::Error::Kind::unavailable) return recorded;
  return write_one_by_one(record);
}

// write_one_by_one finds what the store refuses, and drops that alone.
store::StoreResult<void> UsageBacklog::write_one_by_one(const Record& record) {
  while (!rows_.empty()) {
    const store::UsageRow row = to_row(*rows_.begin());
    const auto recorded = record({&row, 1}, {});
    if (!recorded && recorded.error().kind == store::Error::Kind::unavailable) return recorded;
    if (!recorded) lost_ += static_cast<uint64_t>(row.counts.requests);
    rows_.erase(rows_.begin());
  }
  while (!uses_.empty()) {
    const auto recorded = record({}, {&uses_.begin()->second, 1});
    if (!recorded && recorded.error().kind == store::Error::Kind::unavailable) return recorded;
    uses_.erase(uses_.begin());
  }
  return {};
}

uint64_t UsageBacklog::request_count() const {
  uint64_t count = 0;
  for (const auto& [place, counts] : rows_) count += static_cast<uint64_t>(counts.requests);
  return count;
}

}  // namespace flexd::app
