// usage_backlog.hpp: usage on its way from the workers' tables to the store.
//
// Rows of the same combination are added up here until the store has them, so that a store that
// cannot be written for a while costs memory by combinations and not by time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "flexd/store/store.hpp"

namespace flexd::app {

// UsageLoss counts what never came to the store: requests without their row of usage, and KeyUses
// (what a key has used of its budget in a month, and when last).
struct UsageLoss {
  uint64_t requests = 0;
  uint64_t key_uses = 0;
  bool operator==(const UsageLoss&) const = default;
};

class UsageBacklog {
 public:
  // kRowsMax bounds the combinations that wait, and the keys: some 40 MB. What finds no place is
  // lost, and counted.
  static constexpr size_t kRowsMax = 100'000;

  // Record is store::Store::record_usage.
  using Record = std::function<store::StoreResult<void>(std::span<const store::UsageRow> rows,
                                                        std::span<const store::KeyUse> uses)>;

  explicit UsageBacklog(size_t rows_max = kRowsMax) : rows_max_(rows_max) {}

  void add(std::vector<store::UsageRow> rows, const std::vector<store::KeyUse>& uses);
  // write records all that waits, in one transaction; on failure it goes on waiting. What the store
  // will never take (of an organization that is not there) is lost, and keeps nothing else back: it
  // is found by halves, some 2 log2(n) transactions for one of n rows.
  store::StoreResult<void> write(const Record& record);

  bool empty() const { return rows_.empty() && uses_.empty(); }
  // request_count counts the requests that wait, use_count the KeyUses; `lost` those lost so far.
  uint64_t request_count() const;
  uint64_t use_count() const { return uses_.size(); }
  const UsageLoss& lost() const { return lost_; }

 private:
  using Place = std::tuple<store::Number, store::Number, int32_t, std::string, std::string,
                           std::string, std::string, std::string>;

  store::StoreResult<void> write_by_halves(const Record& record,
                                           std::span<const store::UsageRow> rows,
                                           std::span<const store::KeyUse> uses);

  size_t rows_max_;
  std::map<Place, store::UsageCounts> rows_;
  std::map<std::pair<store::Number, int32_t>, store::KeyUse> uses_;  // by key and month
  UsageLoss lost_;
};

}  // namespace flexd::app
