#include "worker_orders.hpp"

#include <utility>

namespace flexd::app {

WorkerOrders::WorkerOrders(size_t workers, Post post) : post_(std::move(post)), waiting_(workers) {}

bool WorkerOrders::give(front::MailKind order) {
  for (auto& orders : waiting_) orders.push_back(order);
  return retry();
}

bool WorkerOrders::retry() {
  bool all = true;
  for (size_t worker = 0; worker < waiting_.size(); ++worker) {
    std::deque<front::MailKind>& orders = waiting_[worker];
    while (!orders.empty() && post_(worker, orders.front())) orders.pop_front();
    all = all && orders.empty();
  }
  return all;
}

}  // namespace flexd::app
