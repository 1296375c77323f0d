// usage_collector.hpp: brings what the workers have counted to the store, once a second.
//
// For the control thread. Each worker has two tables. It counts into one and is asked to hand that
// over for the other, which is empty; the keeper's thread writes the full ones and gives them back
// empty. While a worker's other table is not back yet the worker goes on with its own, so that a
// store that stalls costs no memory. What is lost when the process is killed is what was counted
// since the last time.
#pragma once

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
  // kWaitMs is how long a write waits for another process's transaction: not long, because the
  // keeper has revocations to look for and the backlog keeps what is not written. kLastWaitMs is
  // that of the last write, after which what waits is lost.
  static constexpr int kWaitMs = 200;
  static constexpr int kLastWaitMs = 2'000;

  // Ask mails a worker that it is to hand over its table for `empty`, which stays the collector's
  // until it does; nullptr repeats the wish. False if its mailbox is full.
  using Ask = std::function<bool(size_t worker, account::UsageTable* empty)>;

  // The keeper outlives this object, which has to outlive the keeper's thread.
  UsageCollector(size_t workers, Ask ask, Keeper& keeper);
  UsageCollector(const UsageCollector&) = delete;
  UsageCollector& operator=(const UsageCollector&) = delete;

  // ask_all begins a round; ask is for one worker, whose table fills up. A worker whose other table
  // is on its way to the store is asked as soon as that is back.
  void ask_all();
  void ask(size_t worker);
  // take gets the table of a worker that has taken the empty one in its place.
  void take(size_t worker, std::unique_ptr<account::UsageTable> full);
  // take_last gets the table of a worker that has ended; may be null.
  void take_last(std::unique_ptr<account::UsageTable> table);

  // last_write is the job that writes, in one try, all that there is, wherever it waits. For
  // Keeper::stop, once all workers have ended and their last tables are here; this object outlives
  // it.
  Keeper::Job last_write();
  // report_rest logs what could not be written, once the keeper's thread has ended.
  void report_rest() const;

  // metrics are the keeper's thread's, for the page.
  const metrics::Core& metrics() const { return metrics_; }

 private:
  using Table = std::unique_ptr<account::UsageTable>;
  using Tables = std::vector<account::UsageTable*>;

  // Spare is the table of a worker's two that the worker does not count into.
  struct Spare {
    enum class State : uint8_t {
      empty,
      lent,     // empty, and the worker may swap it for its own at any time
      full,     // waits for the write under way to end
      writing,  // the keeper's thread has it
    };
    Table table = std::make_unique<account::UsageTable>();
    State state = State::empty;
    bool wanted = false;  // the worker is to be asked once it is empty again
  };

  void submit(bool for_backlog);
  void on_written(bool backlog_waits);
  void write(const Tables& tables, store::Store& store, int wait_ms);

  Ask ask_;
  Keeper& keeper_;
  std::vector<Spare> spares_;  // by worker
  std::vector<Table> last_;    // of workers that have ended
  bool writing_ = false;       // a job is with the keeper; there is one at most
  bool backlog_waits_ = false;

  // Of the keeper's thread.
  UsageBacklog backlog_;
  metrics::Core metrics_;
  bool failing_ = false;
  UsageLoss lost_told_;
};

}  // namespace flexd::app
