#include "worker_orders.hpp"

#include <doctest/doctest.h>

#include <vector>

using flexd::app::WorkerOrders;
using flexd::front::MailKind;

TEST_CASE("worker orders: each worker gets every order once and in order, whatever its mailbox") {
  std::vector<size_t> room = {9, 0, 1};
  std::vector<std::vector<MailKind>> mail(room.size());
  WorkerOrders orders(room.size(), [&](size_t worker, MailKind order) {
    if (room[worker] == 0) return false;
    --room[worker];
    mail[worker].push_back(order);
    return true;
  });
  CHECK(orders.retry());
  CHECK(!orders.give(MailKind::drain));
  CHECK(mail[0].size() == 1);
  CHECK(mail[1].empty());
  CHECK(mail[2].size() == 1);
  CHECK(!orders.give(MailKind::cut));
  CHECK(!orders.retry());
  room = {9, 1, 9};
  CHECK(!orders.retry());
  CHECK(mail[1] == std::vector{MailKind::drain});
  room[1] = 9;
  CHECK(orders.give(MailKind::stop));
  CHECK(orders.retry());
  for (const auto& got : mail) {
    CHECK(got == std::vector{MailKind::drain, MailKind::cut, MailKind::stop});
  }
}
