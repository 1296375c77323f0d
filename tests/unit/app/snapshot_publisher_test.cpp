#include "snapshot_publisher.hpp"

#include <doctest/doctest.h>

#include <vector>

using flexd::account::Snapshot;
using flexd::account::SnapshotPointer;
using flexd::app::SnapshotPublisher;
using flexd::front::SnapshotLease;

namespace {

SnapshotPointer make_snapshot() {
  return std::make_shared<const Snapshot>(std::vector<flexd::account::Organization>(),
                                          std::vector<flexd::account::KeyRecord>());
}

// Workers are mailboxes with so much room each, and what was retired.
struct Workers {
  explicit Workers(size_t count)
      : room(count, 100),
        mail(count),
        publisher(
            count,
            [this](size_t worker, SnapshotLease& lease) {
              if (room[worker] == 0) return false;
              --room[worker];
              mail[worker].push_back(&lease);
              return true;
            },
            [this](const SnapshotPointer& snapshot) { retired.push_back(snapshot.get()); }) {}
  std::vector<size_t> room;
  std::vector<std::vector<SnapshotLease*>> mail;
  std::vector<const Snapshot*> retired;
  SnapshotPublisher publisher;
};

}  // namespace

TEST_CASE("each worker gets a lease of its own, and the last one back retires the snapshot") {
  Workers workers(3);
  SnapshotPointer first = make_snapshot();
  const Snapshot* const old = first.get();
  CHECK(workers.publisher.current() == nullptr);
  CHECK(workers.publisher.publish(std::move(first)));
  CHECK(workers.publisher.lease_count() == 3);
  CHECK(workers.mail[0][0] != workers.mail[1][0]);
  for (const auto& box : workers.mail) CHECK(box.front()->snapshot.get() == old);
  CHECK(workers.publisher.publish(make_snapshot()));
  CHECK(workers.publisher.lease_count() == 6);
  CHECK(workers.retired.empty());
  workers.publisher.take_back(*workers.mail[1][0]);
  workers.publisher.take_back(*workers.mail[0][0]);
  CHECK(workers.retired.empty());
  workers.publisher.take_back(*workers.mail[2][0]);
  CHECK(workers.retired == std::vector{old});
  CHECK(workers.publisher.lease_count() == 3);
  CHECK(workers.publisher.current().get() == workers.mail[0][1]->snapshot.get());
}

TEST_CASE("a worker with a full mailbox is told later, and of the newest alone") {
  Workers workers(2);
  workers.room[1] = 0;
  CHECK(!workers.publisher.publish(make_snapshot()));
  CHECK(!workers.publisher.retry());
  CHECK(workers.publisher.lease_count() == 1);
  CHECK(!workers.publisher.publish(make_snapshot()));
  workers.room[1] = 5;
  CHECK(workers.publisher.retry());
  CHECK(workers.mail[1].size() == 1);
  CHECK(workers.mail[1][0]->snapshot == workers.publisher.current());
  CHECK(workers.publisher.retry());
  CHECK(workers.mail[0].size() == 2);
  CHECK(workers.mail[1].size() == 1);
}

TEST_CASE("without workers, each snapshot retires the one before") {
  Workers workers(0);
  SnapshotPointer first = make_snapshot();
  const Snapshot* const old = first.get();
  CHECK(workers.publisher.publish(std::move(first)));
  CHECK(workers.retired.empty());
  CHECK(workers.publisher.publish(make_snapshot()));
  CHECK(workers.retired == std::vector{old});
}

TEST_CASE("leases that never come back are freed with the publisher") {
  std::weak_ptr<const Snapshot> left;
  {
    Workers workers(2);
    SnapshotPointer snapshot = make_snapshot();
    left = snapshot;
    CHECK(workers.publisher.publish(std::move(snapshot)));
    CHECK(workers.publisher.publish(make_snapshot()));
    CHECK(!left.expired());
  }
  CHECK(left.expired());
}
