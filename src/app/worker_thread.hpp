// worker_thread.hpp: a thread that runs one worker.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "flexd/base/log.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/metrics/core.hpp"

namespace flexd::app {

// Mail from a worker to the control thread; `number` is the worker's index. Or from the keeper, or
// the clerk. `drained` and `ended` are said again until the mailbox has room for them.
enum class ControlMail : uint32_t {
  drained,        // its last caller has gone
  published,      // its gauges are written
  lease_done,     // `pointer` is a SnapshotLease that it uses no more
  keeper,         // the keeper has something to collect
  clerk,          // likewise the clerk
  usage,          // `pointer` is a UsageTable, full, that is the control thread's now
  usage_crowded,  // it would like to be asked for its usage
  ended,          // its loop is over
};

struct WorkerThreadOptions {
  uint32_t index = 0;
  int cpu = -1;  // to be bound to, or -1
  bool yield_each_turn = false;
  size_t memory_budget_bytes = 0;
  LogFormat log_format = LogFormat::json;
  LogLevel log_level = LogLevel::info;
};

class WorkerThread {
 public:
  // What is referred to outlives the thread. `control` gets ControlMail.
  WorkerThread(const WorkerThreadOptions& options, front::Shared& shared, LogWriter& log_writer,
               io::Reactor& control);
  // Ends the thread if it still runs; the control thread reads no more mail.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // start runs the thread and waits until it accepts on `addresses`, whose ports it fills in.
  Result<void> start(std::vector<io::Address>& addresses);
  // post sends mail to the worker; false if its mailbox is full.
  [[nodiscard]] bool post(front::MailKind kind);
  // lend mails a lease to the worker; false if its mailbox is full.
  [[nodiscard]] bool lend(front::SnapshotLease& lease);
  // ask_usage mails an empty table, or nullptr (see front::MailKind::usage); false likewise.
  [[nodiscard]] bool ask_usage(account::UsageTable* empty);
  // take_last_usage is what was counted and not handed over, once the thread has ended; may be
  // null.
  std::unique_ptr<account::UsageTable> take_last_usage() { return std::move(last_usage_); }
  void join();
  const metrics::Core& metrics() const { return *metrics_; }

 private:
  void main(std::vector<io::Address>& addresses);
  Result<void> set_up(std::vector<io::Address>& addresses);
  void run();
  void tell_drained();
  bool tell(ControlMail mail, void* pointer = nullptr);

  WorkerThreadOptions options_;
  front::Shared& shared_;
  LogWriter& log_writer_;
  io::Reactor& control_;
  std::unique_ptr<metrics::Core> metrics_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<io::Reactor> reactor_;
  // mailbox_ stays when a reactor is left to the end of the process.
  io::Reactor* mailbox_ = nullptr;
  std::unique_ptr<front::Worker> worker_;
  std::unique_ptr<account::UsageTable> last_usage_;
  // What could not be ended in time is left to the end of the process, and reachable from here.
  front::Worker* left_worker_ = nullptr;
  io::Reactor* left_reactor_ = nullptr;
  Timer drained_timer_;            // of a `drained` that could not be told
  std::atomic<bool> over_{false};  // the loop is over; nothing reads its mail
  std::atomic<bool> deaf_{false};  // nobody reads the control thread's
  std::thread thread_;
  // 0 while it is being set up, 1 once it accepts, 2 if it could not.
  std::atomic<int> state_{0};
  std::string error_;
};

}  // namespace flexd::app
