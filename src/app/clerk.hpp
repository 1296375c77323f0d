// clerk.hpp: a thread with a store of its own for what the admin listener asks, so that a long
// question keeps neither the keeper from its looks nor what was counted from being written.
//
// Jobs have an owner, the organization that asks, and owners take turns: whoever asks much waits
// for its own jobs, and makes the others wait for one at a time. Jobs of one owner run in order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "flexd/base/log.hpp"
#include "flexd/base/result.hpp"
#include "flexd/store/store.hpp"
#include "outbox.hpp"

namespace flexd::app {

class Clerk {
 public:
  // Job is what the clerk's thread runs with the store. It must not throw.
  using Job = std::function<void(store::Store&)>;
  // Done is what the control thread runs when it collects: the job ran, or it was dropped because
  // the clerk was told to stop.
  using Done = std::function<void(bool ran)>;

  // kJobsMax bounds the jobs that wait.
  static constexpr size_t kJobsMax = 1'024;

  explicit Clerk(std::unique_ptr<store::Store> store) : store_(std::move(store)) {}
  ~Clerk() { stop(); }
  Clerk(const Clerk&) = delete;
  Clerk& operator=(const Clerk&) = delete;

  // start runs the thread, which logs to `log`. `on_news` is called on it when `collect` has
  // something; false (a full mailbox) has it called again a moment later.
  void start(Log* log, std::function<bool()> on_news);
  // stop interrupts the job under way, which finds the store unavailable, drops those that wait,
  // and ends the thread; `collect` once more after it. Nothing is submitted any more.
  void stop();

  // submit queues a job; false, and neither of the two runs, if kJobsMax wait or the clerk stops.
  [[nodiscard]] bool submit(store::Number owner, Job job, Done done);
  // collect runs what has become of the jobs, each once. For the control thread.
  void collect() { outbox_.collect(); }

 private:
  struct Work {
    Job job;
    Done done;
  };

  void run();
  Work take();
  void drop_rest();

  std::unique_ptr<store::Store> store_;
  Outbox outbox_;

  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::unordered_map<store::Number, std::deque<Work>> work_;  // by owner; none is empty
  std::deque<store::Number> turns_;                           // the owners, the next one first
  size_t waiting_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace flexd::app
