#include "snapshot_publisher.hpp"

#include <algorithm>
#include <utility>

#include "flexd/base/assert.hpp"

namespace flexd::app {

SnapshotPublisher::SnapshotPublisher(size_t workers, Post post, Retire retire)
    : post_(std::move(post)), retire_(std::move(retire)), behind_(workers) {}

bool SnapshotPublisher::publish(account::SnapshotPointer snapshot) {
  FLEXD_ASSERT(snapshot);
  account::SnapshotPointer before = std::exchange(current_, std::move(snapshot));
  behind_.assign(behind_.size(), true);
  const bool told = retry();
  // Where no lease is out, nothing else holds it.
  drop(std::move(before));
  return told;
}

bool SnapshotPublisher::retry() {
  bool told = true;
  for (size_t worker = 0; worker < behind_.size(); ++worker) {
    if (!behind_[worker]) continue;
    // Owned before it is posted: it may be back before this function ends.
    leases_.push_back(std::make_unique<front::SnapshotLease>());
    front::SnapshotLease& lease = *leases_.back();
    lease.snapshot = current_;
    if (post_(worker, lease)) {
      behind_[worker] = false;
    } else {
      leases_.pop_back();
      told = false;
    }
  }
  return told;
}

void SnapshotPublisher::take_back(front::SnapshotLease& lease) {
  const auto found =
      std::ranges::find(leases_, &lease, [](const auto& owned) { return owned.get(); });
  FLEXD_ASSERT(found != leases_.end());
  account::SnapshotPointer snapshot = std::move(lease.snapshot);
  std::swap(*found, leases_.back());
  leases_.pop_back();
  drop(std::move(snapshot));
}

void SnapshotPublisher::drop(account::SnapshotPointer snapshot) {
  // All other references are of this thread, so that one is one.
  if (snapshot.use_count() == 1) retire_(std::move(snapshot));
}

}  // namespace flexd::app
