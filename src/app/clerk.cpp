#include "clerk.hpp"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace flexd::app {
namespace {

// kTellAgain is how soon the control thread is told again of what it could not be told.
constexpr auto kTellAgain = std::chrono::milliseconds(20);

}  // namespace

void Clerk::start(Log* log, std::function<bool()> on_news) {
  outbox_.open(std::move(on_news));
  thread_ = std::thread([this, log] {
    pthread_setname_np(pthread_self(), "flexd-clerk");
    set_thread_log(log);
    run();
    set_thread_log(nullptr);
  });
}

void Clerk::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  store_->interrupt();
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Clerk::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto has_work = [this] { return stopping_ || waiting_ > 0; };
    if (outbox_.is_untold()) {
      wake_.wait_for(lock, kTellAgain, has_work);
    } else {
      wake_.wait(lock, has_work);
    }
    Work work;
    if (!stopping_ && waiting_ > 0) work = take();
    lock.unlock();
    if (work.job) {
      work.job(*store_);
      outbox_.put([done = std::move(work.done)] { done(true); });
    } else if (outbox_.is_untold()) {
      outbox_.tell();
    }
    // What it holds may take a while to free: not under the lock.
    work = {};
    lock.lock();
  }
  lock.unlock();
  drop_rest();
}

// take is the first job of the owner whose turn it is. Under the lock.
Clerk::Work Clerk::take() {
  const store::Number owner = turns_.front();
  turns_.pop_front();
  const auto found = work_.find(owner);
  Work work = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    work_.erase(found);
  } else {
    turns_.push_back(owner);
  }
  --waiting_;
  return work;
}

// drop_rest answers for what will not be run. Nobody submits any more.
void Clerk::drop_rest() {
  size_t dropped = 0;
  for (; waiting_ > 0; ++dropped) {
    outbox_.put([done = take().done] { done(false); });
  }
  if (dropped > 0) log_line(LogLevel::warn, "admin_jobs_dropped", {{"jobs", dropped}});
}

bool Clerk::submit(store::Number owner, Job job, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_ >= kJobsMax) return false;
    std::deque<Work>& own = work_[owner];
    if (own.empty()) turns_.push_back(owner);
    own.push_back({std::move(job), std::move(done)});
    ++waiting_;
  }
  wake_.notify_one();
  return true;
}

}  // namespace flexd::app
