#include "leases.hpp"

#include "flexd/base/assert.hpp"

namespace flexd::front {

Leases::~Leases() {
  FLEXD_ASSERT(current_->users == 0);
  for (const SnapshotLease* lease = waiting_; lease != nullptr; lease = lease->next) --old_;
  FLEXD_ASSERT(old_ == 0);
}

void Leases::set_give_back(GiveBack give_back, void* context) {
  give_back_ = give_back;
  context_ = context;
}

void Leases::renew(SnapshotLease& lease) {
  FLEXD_ASSERT(&lease != current_ && lease.users == 0 && lease.snapshot);
  SnapshotLease& before = *current_;
  current_ = &lease;
  ++old_;
  if (before.users == 0) done(before);
}

// done: the last request under an older lease is over.
void Leases::done(SnapshotLease& lease) {
  if (&lease == &own_) {
    // Whoever renews holds the first snapshot too, so that it is not freed here.
    own_.snapshot.reset();
    --old_;
    return;
  }
  lease.next = waiting_;
  waiting_ = &lease;
  give_back_waiting();
}

void Leases::give_back_waiting() {
  if (give_back_ == nullptr) return;
  while (waiting_ != nullptr) {
    SnapshotLease& lease = *waiting_;
    // Once it is given back it is another thread's.
    SnapshotLease* const rest = lease.next;
    if (!give_back_(context_, lease)) return;
    waiting_ = rest;
    --old_;
  }
}

}  // namespace flexd::front
