// accounts.hpp: snapshots as a store would give them, and their way to the workers.
//
// An Office outlives the Sim whose worker it serves: it owns the leases, as the control thread
// does.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/account/limits.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/front/worker.hpp"
#include "flexd/io/reactor.hpp"
#include "snapshot_publisher.hpp"

namespace flexd::sim_test {

// Plan is one organization with one key, to be changed from snapshot to snapshot.
struct Plan {
  bool has_key = true;     // the caller's
  account::KeyRecord key;  // but its digest, organization and cells
  account::Rate rate;
  store::Billing billing = store::Billing::ok;
  std::optional<uint64_t> credit_nanos;
  std::string openai_key = "sk-sim";
  std::string gemini_key;
  std::string anthropic_key;
  std::vector<account::ModelState> models;
};

class Office {
 public:
  explicit Office(size_t workers = 1);
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  // serve has `worker`, on `reactor`, get what is published from now on.
  void serve(size_t index, front::Worker& worker, io::Reactor& reactor);
  // publish makes a snapshot for `key` and hands it to all workers.
  void publish(const Plan& plan, std::string_view key);
  // is_alive tells whether the snapshot that was published n-th, from 0, still exists.
  bool is_alive(size_t number) const { return !published_[number].expired(); }
  // lease_count counts the leases that workers have.
  size_t lease_count() const { return publisher_.lease_count(); }
  const account::OrganizationCells& organization() { return arena_.organization(1); }
  account::KeyCells& key() { return arena_.key(1); }
  // refuse has no mail from workers taken, as if the control thread's mailbox were full.
  void refuse(bool refuse) { refuse_ = refuse; }

 private:
  account::SnapshotPointer make(const Plan& plan, std::string_view key);

  account::LimitArena arena_;
  std::vector<io::Reactor*> reactors_;
  std::vector<std::weak_ptr<const account::Snapshot>> published_;
  app::SnapshotPublisher publisher_;
  bool refuse_ = false;
};

}  // namespace flexd::sim_test
