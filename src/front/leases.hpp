// leases.hpp: the leases of one worker (front/snapshot_lease.hpp): the current one, and the older
// ones that requests still hold.
#pragma once

#include <cstdint>
#include <utility>

#include "flexd/front/snapshot_lease.hpp"

namespace flexd::front {

class Leases {
 public:
  // GiveBack takes a lease back to its owner; false if that is not possible now.
  using GiveBack = bool (*)(void* context, SnapshotLease& lease);

  // The worker begins with `first` under a lease of its own, which nobody gets back.
  explicit Leases(account::SnapshotPointer first) : own_{.snapshot = std::move(first)} {}
  // No request may be left.
  ~Leases();
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  // set_give_back: until then, leases that are done are kept.
  void set_give_back(GiveBack give_back, void* context);

  // enter counts a request under the current lease; leave is its end.
  SnapshotLease& enter() {
    ++current_->users;
    return *current_;
  }
  void leave(SnapshotLease& lease) {
    if (--lease.users == 0 && &lease != current_) done(lease);
  }
  // renew makes `lease` the current one, for requests that begin from now on. It stays where it is
  // until it has been given back or this object is gone.
  void renew(SnapshotLease& lease);
  // give_back_rest tries again what could not be given back; call it now and then.
  void give_back_rest() {
    if (waiting_ != nullptr) give_back_waiting();
  }

  const account::Snapshot& snapshot() const { return *current_->snapshot; }
  // old_count counts older leases that are still here, in use or waiting.
  uint32_t old_count() const { return old_; }

 private:
  void done(SnapshotLease& lease);
  void give_back_waiting();

  SnapshotLease own_;
  SnapshotLease* current_ = &own_;
  SnapshotLease* waiting_ = nullptr;
  uint32_t old_ = 0;
  GiveBack give_back_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace flexd::front
