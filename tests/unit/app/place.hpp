// place.hpp: what the tests of the keeper share: a store with an organization, and one that fails.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "flexd/account/key.hpp"
#include "flexd/crypto/seal.hpp"
#include "keeper.hpp"
#include "scratch.hpp"

namespace flexd::app {

inline constexpr uint64_t kPollNs = 5'000'000;

// wait_until waits for something that another thread does.
template <typename Condition>
bool wait_until(Condition condition) {
  for (int i = 0; i < 4000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// SwitchState outlives the Switch.
struct SwitchState {
  std::atomic<bool> failing = false;  // to read
  std::atomic<int> records = 0;       // calls of record_usage
  std::atomic<int> spent_read = 0;    // keys whose spending was read, but in load
  std::atomic<int> wait_ms = store::kBusyMs;
  std::atomic<int> record_wait_ms = 0;  // the wait of the last record_usage
};

// Switch is a store in front of another that can be made to fail.
class Switch final : public store::Store {
 public:
  Switch(std::unique_ptr<store::Store> store, SwitchState& state)
      : store_(std::move(store)), state_(state) {}
  void set_wait_ms(int wait_ms) override {
    state_.wait_ms = wait_ms;
    store_->set_wait_ms(wait_ms);
  }
  void interrupt() override { store_->interrupt(); }
  store::StoreResult<uint64_t> version() override {
    if (state_.failing) return fail(broken());
    return store_->version();
  }
  store::StoreResult<store::Contents> load() override {
    if (state_.failing) return fail(broken());
    return store_->load();
  }
  store::StoreResult<store::Organization> create_organization(std::string_view name) override {
    return store_->create_organization(name);
  }
  store::StoreResult<store::Organization> find_organization(std::string_view name) override {
    return store_->find_organization(name);
  }
  store::StoreResult<store::Organization> change_organization(
      store::Number organization, const store::OrganizationChange& change) override {
    return store_->change_organization(organization, change);
  }
  store::StoreResult<store::Organization> add_credit(store::Number organization,
                                                     int64_t nanos) override {
    return store_->add_credit(organization, nanos);
  }
  store::StoreResult<store::Key> create_key(const store::Key& key) override {
    return store_->create_key(key);
  }
  store::StoreResult<store::Key> find_key(std::string_view id) override {
    return store_->find_key(id);
  }
  store::StoreResult<store::Key> find_key(const crypto::Sha256Digest& digest) override {
    return store_->find_key(digest);
  }
  store::StoreResult<std::vector<store::Key>> keys(const store::KeyQuery& query) override {
    return store_->keys(query);
  }
  store::StoreResult<store::Key> change_key(std::string_view id, store::KeyChange change) override {
    return store_->change_key(id, change);
  }
  store::StoreResult<void> set_provider_key(const store::SealedProviderKey& key) override {
    return store_->set_provider_key(key);
  }
  store::StoreResult<std::vector<store::SealedProviderKey>> provider_keys(
      store::Number organization) override {
    return store_->provider_keys(organization);
  }
  store::StoreResult<void> remove_provider_key(store::Number organization,
                                               std::string_view provider) override {
    return store_->remove_provider_key(organization, provider);
  }
  store::StoreResult<size_t> reseal(const Seal& seal) override { return store_->reseal(seal); }
  store::StoreResult<void> set_model(const store::Model& model) override {
    return store_->set_model(model);
  }
  store::StoreResult<void> record_usage(std::span<const store::UsageRow> rows,
                                        std::span<const store::KeyUse> uses) override {
    ++state_.records;
    state_.record_wait_ms = state_.wait_ms.load();
    return store_->record_usage(rows, uses);
  }
  store::StoreResult<store::Spending> spending(uint64_t since) override {
    auto spending = store_->spending(since);
    if (spending) state_.spent_read += static_cast<int>(spending->keys.size());
    return spending;
  }
  store::StoreResult<std::vector<store::UsageRow>> usage(const store::UsageQuery& query) override {
    return store_->usage(query);
  }

 private:
  static store::Error broken() {
    return {.kind = store::Error::Kind::unavailable, .message = "the disk is gone"};
  }
  std::unique_ptr<store::Store> store_;
  SwitchState& state_;
};

// Place is a store with an organization, its master key file, and a keeper's options for them.
struct Place {
  Place() {
    REQUIRE(crypto::create_master_key_file(scratch.path("master.key")).has_value());
    store = store::must(store::open_store(scratch.path(), store::OpenMode::create));
    organization = store::must(store->create_organization("acme"));
  }
  KeeperOptions options() const {
    return {.store = scratch.path(),
            .master_key_file = scratch.path("master.key"),
            .defaults = {},
            .poll_ns = kPollNs};
  }
  // add_key stores a key and returns its text.
  std::string add_key() {
    const crypto::Secret secret = account::generate_key(account::KeyKind::inference);
    store::Key key;
    key.organization = organization.number;
    key.digest = account::key_digest(secret.reveal());
    key.shown = std::string(secret.reveal().substr(0, 14));
    last_key = store::must(store->create_key(key)).id;
    return std::string(secret.reveal());
  }
  store::Scratch scratch;
  std::unique_ptr<store::Store> store;
  store::Organization organization;
  std::string last_key;
  account::LimitArena arena;
};

}  // namespace flexd::app
