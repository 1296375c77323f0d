// usage.hpp: what one worker has counted since it was last asked.
//
// A UsageTable adds up requests by organization, key, day, model, provider, tier asked, tier served
// and reason, in memory that is all there from the start: adding allocates nothing. Once a second
// the control thread gives each worker an empty table and takes the full one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "flexd/store/types.hpp"

namespace flexd::account {

// kUsageModelBytes: of a longer model name only so much is kept.
inline constexpr size_t kUsageModelBytes = 64;
// kUsageTierBytes: likewise of the tier a provider reports.
inline constexpr size_t kUsageTierBytes = 24;
// kOtherModel stands for the models of requests that find no row of their own in a full table, and
// for names that no provider has answered to and no list knows: callers choose names, and a name
// must not cost a row for ever.
inline constexpr std::string_view kOtherModel = "(other)";

// UsageEntry is one request that has ended.
struct UsageEntry {
  store::Number organization = 0;
  store::Number key = 0;
  uint64_t unix_s = 0;  // when it was admitted: its day and its month
  std::string_view model;
  std::string_view provider;
  std::string_view tier_asked;
  std::string_view tier_served;
  std::string_view reason;
  bool counts_for_budget = false;  // it passed check_money
  int64_t budget_nanos = 0;        // what the key's budget was charged
  store::UsageCounts counts;
};

class UsageTable {
 public:
  // kRowsMax rows have a place of their own; past them a request counts under kOtherModel, in
  // kSpareRows more; past those without its key too (key 0), in kKeylessRows more; past those in
  // one last row without organization (0). Totals stay right whatever comes.
  static constexpr size_t kRowsMax = 8'192;
  static constexpr size_t kSpareRows = 1'024;
  static constexpr size_t kKeylessRows = 1'024;

  UsageTable();
  ~UsageTable();
  UsageTable(const UsageTable&) = delete;
  UsageTable& operator=(const UsageTable&) = delete;

  void add(const UsageEntry& entry);
  bool empty() const;
  // is_crowded: three quarters of the rows are taken; time to be emptied before the second is over.
  bool is_crowded() const;
  // take appends all rows and what each key did, by key and month, and leaves the table empty. It
  // allocates: for the thread that writes to the store.
  void take(std::vector<store::UsageRow>& rows, std::vector<store::KeyUse>& uses);

 private:
  struct Place;
  struct Row;

  // find_or_make is the row at `place`; if there is none and there are `rows_max` rows, nullptr.
  Row* find_or_make(const Place& place, size_t rows_max);

  std::vector<Row> rows_;        // never more than it has room for from the start
  std::vector<uint32_t> slots_;  // by hash: an index of rows_, plus one; 0 is free
  uint64_t seed_ = 0;
};

}  // namespace flexd::account
