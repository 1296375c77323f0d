// snapshot_publisher.hpp: hands each new snapshot to every worker, and takes the old ones back.
//
// For the control thread. It owns all leases (front/snapshot_lease.hpp) that it has made.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "flexd/account/snapshot.hpp"
#include "flexd/front/snapshot_lease.hpp"

namespace flexd::app {

class SnapshotPublisher {
 public:
  // Post mails a lease to a worker; false if its mailbox is full.
  using Post = std::function<bool(size_t worker, front::SnapshotLease& lease)>;
  // Retire frees a snapshot somewhere else.
  using Retire = std::function<void(account::SnapshotPointer snapshot)>;

  SnapshotPublisher(size_t workers, Post post, Retire retire);
  // The workers have ended.
  ~SnapshotPublisher() = default;
  SnapshotPublisher(const SnapshotPublisher&) = delete;
  SnapshotPublisher& operator=(const SnapshotPublisher&) = delete;

  // publish hands `snapshot` to all workers. False: some could not be told; `retry` later, which
  // returns the same. A worker that is behind gets only the newest.
  bool publish(account::SnapshotPointer snapshot);
  bool retry();
  // take_back ends a lease that a worker has given back.
  void take_back(front::SnapshotLease& lease);

  // current is what was published last; null before.
  const account::SnapshotPointer& current() const { return current_; }
  // lease_count counts the leases that workers have.
  size_t lease_count() const { return leases_.size(); }

 private:
  void drop(account::SnapshotPointer snapshot);

  Post post_;
  Retire retire_;
  account::SnapshotPointer current_;
  std::vector<bool> behind_;  // by worker
  std::vector<std::unique_ptr<front::SnapshotLease>> leases_;
};

}  // namespace flexd::app
