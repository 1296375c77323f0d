// outbox.hpp: what a thread beside the control thread has for that one to run.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace flexd::app {

class Outbox {
 public:
  // Reply is what the control thread runs when it collects.
  using Reply = std::function<void()>;

  // open sets how the control thread is told that there is something to collect: without a lock
  // held; false (a full mailbox) leaves it untold. Before anything is put in.
  void open(std::function<bool()> on_news) { on_news_ = std::move(on_news); }

  // put adds a reply, and tells. tell tells of anything else, or once more. These two, and
  // is_untold, are for the thread that the outbox belongs to.
  void put(Reply reply) {
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      is_first = replies_.empty();
      replies_.push_back(std::move(reply));
    }
    // Of one that others wait before, the control thread knows.
    if (is_first) tell();
  }
  void tell() { untold_ = !on_news_(); }
  bool is_untold() const { return untold_; }

  // collect runs what was put in, in order. For the control thread.
  void collect() {
    std::deque<Reply> replies;
    {
      const std::lock_guard lock(mutex_);
      replies.swap(replies_);
    }
    for (const Reply& reply : replies) reply();
  }

 private:
  std::function<bool()> on_news_;
  bool untold_ = false;
  std::mutex mutex_;
  std::deque<Reply> replies_;  // guarded by mutex_
};

}  // namespace flexd::app
