#include "usage_backlog.hpp"

#include <algorithm>
#include <iterator>

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

// in_parts does `try_part` on all of `items`, and where the store refuses a part, on its halves,
// down to the single item that is refused. `end_part` is called for each part that is done with, in
// order. It ends early when the store is unavailable.
template <typename Item, typename TryPart, typename EndPart>
store::StoreResult<void> in_parts(std::span<const Item> items, const TryPart& try_part,
                                  const EndPart& end_part) {
  std::vector<size_t> sizes;  // of the parts to come, the next one last
  if (!items.empty()) sizes.push_back(items.size());
  while (!sizes.empty()) {
    const size_t size = sizes.back();
    sizes.pop_back();
    const std::span<const Item> part = items.first(size);
    const store::StoreResult<void> tried = try_part(part);
    if (!tried && tried.error().kind == store::Error::Kind::unavailable) return tried;
    if (!tried && size > 1) {
      sizes.push_back(size - size / 2);
      sizes.push_back(size / 2);
      continue;
    }
    end_part(part, tried.has_value());
    items = items.subspan(size);
  }
  return {};
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
      lost_.requests += static_cast<uint64_t>(row.counts.requests);
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
    } else {
      ++lost_.key_uses;
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
  const auto recorded = record(rows, uses);
  if (recorded) {
    rows_.clear();
    uses_.clear();
    return {};
  }
  if (recorded.error().kind == store::Error::Kind::unavailable) return recorded;
  return write_by_halves(record, rows, uses);
}

// write_by_halves finds what the store refuses, and drops that alone. `rows` and `uses` are all of
// what waits, in the order of the maps.
store::StoreResult<void> UsageBacklog::write_by_halves(const Record& record,
                                                       std::span<const store::UsageRow> rows,
                                                       std::span<const store::KeyUse> uses) {
  auto done = in_parts(
      rows, [&record](auto part) { return record(part, {}); },
      [this](auto part, bool written) {
        if (!written) lost_.requests += static_cast<uint64_t>(part.front().counts.requests);
        rows_.erase(rows_.begin(), std::next(rows_.begin(), std::ssize(part)));
      });
  if (!done) return done;
  return in_parts(
      uses, [&record](auto part) { return record({}, part); },
      [this](auto part, bool written) {
        if (!written) ++lost_.key_uses;
        uses_.erase(uses_.begin(), std::next(uses_.begin(), std::ssize(part)));
      });
}

uint64_t UsageBacklog::request_count() const {
  uint64_t count = 0;
  for (const auto& [place, counts] : rows_) count += static_cast<uint64_t>(counts.requests);
  return count;
}

}  // namespace flexd::app
