// keeper.hpp: the thread that owns the store, so that no other one ever waits for the disk.
//
// Four times a second it looks for changes of the configuration, of which it builds a snapshot, and
// for what other gateways have spent, which it adds to the limits (account/limits.hpp has the
// rule). Between the looks it runs the jobs it is given in order: writing what was counted, and
// freeing snapshots. A look that is due comes before the next job. What may take long, the
// questions of the admin listener, is not for this thread but for the clerk's (clerk.hpp): a
// revocation holds within two seconds whatever is asked there. Whenever the keeper has something
// for the control thread it says so (`on_news`), and the control thread collects it.
//
// A store that cannot be read, or whose file was replaced while it was open, keeps nobody from
// being served: the last snapshot stays, one warning is logged for each change of state, the gauge
// `store_failing` is 1, and the keeper tries again.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "flexd/account/limits.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/result.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/metrics/core.hpp"
#include "flexd/store/store.hpp"
#include "outbox.hpp"

namespace flexd::app {

struct KeeperOptions {
  std::string store;            // where it is, and in error messages
  std::string master_key_file;  // that opens the provider keys
  account::SnapshotDefaults defaults;
  // poll_ns is the time between two looks for changes.
  uint64_t poll_ns = 250'000'000;
  // stop_ns is how long after `stop` a job may still begin.
  uint64_t stop_ns = 2'000'000'000;
  // unix_s is the clock that says which month is running.
  std::function<int64_t()> unix_s = [] { return static_cast<int64_t>(std::time(nullptr)); };
};

class Keeper {
 public:
  // Job is what the keeper's thread runs with the store. It must not throw.
  using Job = std::function<void(store::Store&)>;
  using Reply = Outbox::Reply;

  // kJobsMax bounds the jobs that wait.
  static constexpr size_t kJobsMax = 1'024;

  // open opens the store, which must exist, reads the master key file, and builds the first
  // snapshot; the failure is one line that names the file. The arena outlives the keeper and every
  // snapshot, and nobody else makes cells in it from now on.
  static Result<std::unique_ptr<Keeper>> open(const KeeperOptions& options,
                                              account::LimitArena& arena);
  // The same over a store of the caller's.
  static Result<std::unique_ptr<Keeper>> open(std::unique_ptr<store::Store> store,
                                              const KeeperOptions& options,
                                              account::LimitArena& arena);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // start runs the thread, which logs to `log`. `on_news` is called on it, without a lock held,
  // when `collect` has something; false (a full mailbox) has it called again at the next look.
  void start(Log* log, std::function<bool()> on_news);
  // stop runs `last` (may be null), then what is queued, then ends the thread; `collect` once more
  // after it. Jobs that have not begun within stop_ns are dropped: against a store whose lock
  // another process holds each may wait for seconds. It returns after the job under way, `last`,
  // and at most one job that began just before the end of that time. Nothing is submitted any more.
  void stop(Job last = nullptr);

  // submit queues a job; false if kJobsMax wait. From any thread.
  [[nodiscard]] bool submit(Job job);
  // reply queues what a job has for the control thread. For jobs.
  void reply(Reply reply) { outbox_.put(std::move(reply)); }
  // wrote is told what the store has just taken: a job that records usage says so at once, or it
  // is taken for another gateway's. For jobs.
  void wrote(std::span<const store::UsageRow> rows, std::span<const store::KeyUse> uses) {
    arena_.wrote(rows, uses);
  }
  // collect runs the replies that came and returns the newest snapshot, or nullptr if there is none
  // since the last time. For the control thread.
  account::SnapshotPointer collect();
  // retire drops a reference on the keeper's thread: freeing a hundred thousand keys takes a while.
  void retire(account::SnapshotPointer snapshot);

  // had_key says whether some organization had a key for this provider when the store was opened.
  bool had_key(errors::Provider provider) const { return had_keys_[static_cast<size_t>(provider)]; }
  // metrics are the keeper's thread's, for the page.
  const metrics::Core& metrics() const { return metrics_; }

 private:
  Keeper(std::unique_ptr<store::Store> store, const KeeperOptions& options,
         account::LimitArena& arena);
  void run();
  void wind_up();
  void look();
  store::StoreResult<void> renew();
  store::StoreResult<void> learn();
  account::SnapshotPointer build(const store::Contents& contents);
  void note(const store::Error* error);

  const KeeperOptions options_;
  std::unique_ptr<store::Store> store_;
  account::LimitArena& arena_;
  account::SnapshotBuilder builder_;
  metrics::Core metrics_;
  std::array<bool, errors::kProviderCount> had_keys_{};
  uint64_t version_ = 0;            // of the last snapshot
  uint64_t spending_revision_ = 0;  // up to which the arena has learned, of spending_month_
  int32_t spending_month_ = 0;
  bool failing_ = false;
  Outbox outbox_;

  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<Job> jobs_;
  account::SnapshotPointer news_;
  bool stopping_ = false;
  Job last_;
  std::chrono::steady_clock::time_point drop_at_;  // the end of stop_ns

  std::thread thread_;
};

}  // namespace flexd::app
