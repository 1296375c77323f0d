// worker_orders.hpp: tells every worker to drain, to cut and to stop, until each has been told.
//
// For the control thread. An order that is lost would be an exit that never comes, so what a full
// mailbox does not take waits here, in order.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <vector>

#include "flexd/front/worker.hpp"

namespace flexd::app {

class WorkerOrders {
 public:
  // Post mails an order to a worker; false if its mailbox is full.
  using Post = std::function<bool(size_t worker, front::MailKind order)>;

  WorkerOrders(size_t workers, Post post);
  WorkerOrders(const WorkerOrders&) = delete;
  WorkerOrders& operator=(const WorkerOrders&) = delete;

  // give is for all workers. False: some could not be told; `retry` later, which returns the same.
  // What waits is bounded by the number of different orders, each of which is given once.
  bool give(front::MailKind order);
  bool retry();

 private:
  Post post_;
  std::vector<std::deque<front::MailKind>> waiting_;  // by worker
};

}  // namespace flexd::app
