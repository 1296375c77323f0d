#include "accounts.hpp"

#include <doctest/doctest.h>

#include <utility>

namespace flexd::sim_test {

Office::Office(size_t workers)
    : reactors_(workers),
      publisher_(
          workers,
          [this](size_t worker, front::SnapshotLease& lease) {
            return reactors_[worker]->post(
                {.kind = static_cast<uint32_t>(front::MailKind::snapshot), .pointer = &lease});
          },
          [](const account::SnapshotPointer&) {}) {}

void Office::serve(size_t index, front::Worker& worker, io::Reactor& reactor) {
  reactors_[index] = &reactor;
  worker.set_on_lease_done(
      [](void* self, front::SnapshotLease& lease) {
        Office& office = *static_cast<Office*>(self);
        if (office.refuse_) return false;
        office.publisher_.take_back(lease);
        return true;
      },
      this);
}

account::SnapshotPointer Office::make(const Plan& plan, std::string_view key) {
  std::vector<account::Organization> organizations(1);
  account::Organization& organization = organizations.front();
  organization.number = 1;
  organization.id = "org_sim";
  organization.name = "sim";
  organization.requests = plan.rate;
  organization.billing = plan.billing;
  organization.prepaid = plan.credit_nanos.has_value();
  organization.credit_nanos = plan.credit_nanos.value_or(0);
  organization.provider_keys = {crypto::Secret(plan.openai_key), crypto::Secret(plan.gemini_key),
                                crypto::Secret(plan.anthropic_key)};
  organization.cells = &arena_.organization(1);
  std::vector<account::KeyRecord> keys;
  if (plan.has_key) {
    keys.push_back(plan.key);
    keys.back().number = 1;
    keys.back().id = "key_sim";
    keys.back().digest = account::key_digest(key);
    keys.back().cells = &arena_.key(1);
  }
  return std::make_shared<const account::Snapshot>(std::move(organizations), std::move(keys),
                                                   plan.models);
}

void Office::publish(const Plan& plan, std::string_view key) {
  account::SnapshotPointer snapshot = make(plan, key);
  published_.push_back(snapshot);
  REQUIRE(publisher_.publish(std::move(snapshot)));
}

}  // namespace flexd::sim_test
