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
  // will never take (of an organization that is not there) is lost, and keeps nothing else back.
  store::StoreResult<void> write(const Record& record);

  bool empty() const { return rows_.empty() && uses_.empty(); }
  // request_count counts the requests that wait; lost_count those lost so far.
  uint64_t request_count() const;
  uint64_t lost_count() const { return lost_; }

 private:
  using Place = std::tuple<store::Number, store::Number, int32_t, std::string, std::string,
                           std::string, std::string, std::string>;

  store::StoreResult<void> write_one_by_one(const Record& record);

  size_t rows_max_;
  std::map<Place, store::UsageCounts> rows_;
  std::map<std::pair<store::Number, int32_t>, store::KeyUse> uses_;  // by key and month
  uint64_t lost_ = 0;
};

}  // namespace flexd::app
