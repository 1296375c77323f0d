#include "leases.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using flexd::account::Snapshot;
using flexd::account::SnapshotPointer;
using flexd::front::Leases;
using flexd::front::SnapshotLease;

namespace {

SnapshotPointer make_snapshot() {
  return std::make_shared<const Snapshot>(std::vector<flexd::account::Organization>(),
                                          std::vector<flexd::account::KeyRecord>());
}

// Owner takes leases back, as many as it has room for.
struct Owner {
  static bool take(void* self, SnapshotLease& lease) {
    Owner& owner = *static_cast<Owner*>(self);
    if (owner.room == 0) return false;
    --owner.room;
    owner.back.push_back(&lease);
    return true;
  }
  size_t room = 100;
  std::vector<SnapshotLease*> back;
};

}  // namespace

TEST_CASE("a worker's first lease is its own, and nobody gets it back") {
  const SnapshotPointer first = make_snapshot();
  SnapshotLease second{.snapshot = make_snapshot()};
  Owner owner;
  Leases leases(first);
  leases.set_give_back(Owner::take, &owner);
  SnapshotLease& used = leases.enter();
  CHECK(used.snapshot == first);
  CHECK(first.use_count() == 2);
  leases.renew(second);
  CHECK(leases.old_count() == 1);
  CHECK(first.use_count() == 2);
  leases.leave(used);
  CHECK(first.use_count() == 1);
  CHECK(leases.old_count() == 0);
  CHECK(owner.back.empty());
  CHECK(&leases.snapshot() == second.snapshot.get());
}

TEST_CASE("a lease goes back with its last user, once it is not the current one") {
  SnapshotLease a{.snapshot = make_snapshot()};
  SnapshotLease b{.snapshot = make_snapshot()};
  SnapshotLease c{.snapshot = make_snapshot()};
  Owner owner;
  Leases leases(make_snapshot());
  leases.set_give_back(Owner::take, &owner);
  leases.renew(a);
  leases.enter();
  leases.enter();
  leases.leave(a);
  leases.leave(a);
  // Without users, but current.
  CHECK(owner.back.empty());
  leases.enter();
  leases.renew(b);
  CHECK(owner.back.empty());
  // Without users at the change: it goes back at once.
  leases.renew(c);
  CHECK(owner.back == std::vector{&b});
  CHECK(leases.old_count() == 1);
  leases.leave(a);
  CHECK(owner.back == std::vector{&b, &a});
  CHECK(leases.old_count() == 0);
  CHECK(a.users == 0);
}

TEST_CASE("a full mailbox: leases wait, and all of them go back later") {
  std::vector<SnapshotLease> many(5);
  for (SnapshotLease& lease : many) lease.snapshot = make_snapshot();
  Owner owner;
  owner.room = 0;
  Leases leases(make_snapshot());
  leases.set_give_back(Owner::take, &owner);
  for (SnapshotLease& lease : many) leases.renew(lease);
  CHECK(leases.old_count() == 4);
  owner.room = 3;
  leases.give_back_rest();
  CHECK(owner.back.size() == 3);
  CHECK(leases.old_count() == 1);
  leases.give_back_rest();
  CHECK(owner.back.size() == 3);
  owner.room = 3;
  leases.give_back_rest();
  leases.give_back_rest();
  CHECK(owner.back.size() == 4);
  CHECK(leases.old_count() == 0);
  for (size_t i = 0; i + 1 < many.size(); ++i) {
    CHECK(std::count(owner.back.begin(), owner.back.end(), &many[i]) == 1);
  }
}

TEST_CASE("what waits when the worker ends stays its owner's") {
  SnapshotLease a{.snapshot = make_snapshot()};
  SnapshotLease b{.snapshot = make_snapshot()};
  {
    Leases leases(make_snapshot());
    leases.renew(a);
    leases.renew(b);  // nobody is there to take `a`
    CHECK(leases.old_count() == 1);
  }
  CHECK(a.snapshot.use_count() == 1);
  CHECK(b.snapshot.use_count() == 1);
}
