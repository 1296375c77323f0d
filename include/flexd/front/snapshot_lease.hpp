// snapshot_lease.hpp: how a worker holds a snapshot of keys without counting references.
//
// A std::shared_ptr copied for each request would have all workers write one cache line, and the
// last request to end would free a hundred thousand keys in the middle of other requests. So the
// control thread makes one lease for each worker and snapshot and mails it (MailKind::snapshot).
// The worker counts the requests that began under it, which nobody else does, and gives it back
// (Worker::set_on_lease_done) once it has a newer one and the last of them is over. Who made a
// lease owns it all the time, so that mail which is never read loses no memory.
#pragma once

#include <cstdint>

#include "flexd/account/snapshot.hpp"

namespace flexd::front {

struct SnapshotLease {
  account::SnapshotPointer snapshot;  // never null
  // The rest is the worker's, from its mail until it gives the lease back.
  uint32_t users = 0;
  SnapshotLease* next = nullptr;  // in the list of those that could not be given back yet
};

}  // namespace flexd::front
