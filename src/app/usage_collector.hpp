// usage_collector.hpp: brings what the workers have counted to the store, once a second.
//
// For the control thread. Each worker counts into a table of its own; it is asked to hand that over
// for an empty one, and the full one goes to the keeper's thread, which writes it and sends it back
// empty. What is lost when the process is killed is what was counted since the last time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "flexd/account/usage.hpp"
#include "flexd/metrics/core.hpp"
#include "keeper.hpp"
#include "usage_backlog.hpp"

namespace flexd::app {

class UsageCollector {
 public:
  // kPeriodNs is the time between two rounds.
  static constexpr uint64_t kPeriodNs = 1'000'000'000;

  // Ask mails a worker that it is to hand over its table for `empty`, which stays the collector's
  // until it does; nullptr repeats the wish. False if its mailbox is full.
  using Ask = std::function<bool(size_t worker, account::UsageTable* empty)>;

  // The keeper outlives this object, which has to outlive the keeper's thread.
  UsageCollector(size_t workers, Ask ask, Keeper& keeper);
  UsageCollector(const UsageCollector&) = delete;
  UsageCollector& operator=(const UsageCollector&) = delete;

  // ask_all begins a round; ask is for one worker, whose table fills up.
  void ask_all();
  void ask(size_t worker);
  // take gets the table of a worker that has taken the empty one in its place.
  void take(size_t worker, std::unique_ptr<account::UsageTable> full);
  // take_last gets the table of a worker that has ended; may be null.
  void take_last(std::unique_ptr<account::UsageTable> table);

  // report_rest logs what could not be written, once the keeper's thread has ended.
  void report_rest() const;

  // metrics are the keeper's thread's, for the page.
  const metrics::Core& metrics() const { return metrics_; }

 private:
  using Table = std::unique_ptr<account::UsageTable>;

  void submit_full();
  void write(account::UsageTable* table, store::Store& store);

  Ask ask_;
  Keeper& keeper_;
  std::vector<Table> lent_;  // by worker: the empty one it has not taken yet
  std::vector<Table> empty_;
  std::vector<Table> full_;  // that the keeper's queue had no room for
  std::atomic<bool> backlog_waits_{false};

  // Of the keeper's thread.
  UsageBacklog backlog_;
  metrics::Core metrics_;
  bool failing_ = false;
  uint64_t lost_told_ = 0;
};

}  // namespace flexd::app
