#include "keeper.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "flexd/account/key.hpp"
#include "flexd/crypto/seal.hpp"
#include "scratch.hpp"

using namespace flexd;
using app::Keeper;
using app::KeeperOptions;
using store::must;

namespace {

constexpr uint64_t kPollNs = 5'000'000;

// wait_until waits for something that another thread does.
template <typename Condition>
bool wait_until(Condition condition) {
  for (int i = 0; i < 4000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// Switch is a store in front of another that can be made to fail.
class Switch final : public store::Store {
 public:
  Switch(std::unique_ptr<store::Store> store, std::atomic<bool>& failing)
      : store_(std::move(store)), failing_(failing) {}
  store::StoreResult<uint64_t> version() override {
    if (failing_) return fail(broken());
    return store_->version();
  }
  store::StoreResult<store::Contents> load() override {
    if (failing_) return fail(broken());
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
  store::StoreResult<std::vector<store::Key>> keys(store::Number organization) override {
    return store_->keys(organization);
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
    return store_->record_usage(rows, uses);
  }
  store::StoreResult<std::vector<store::UsageRow>> usage(const store::UsageQuery& query) override {
    return store_->usage(query);
  }

 private:
  static store::Error broken() {
    return {.kind = store::Error::Kind::unavailable, .message = "the disk is gone"};
  }
  std::unique_ptr<store::Store> store_;
  std::atomic<bool>& failing_;
};

// Place is a store with an organization, its master key file, and a keeper's options for them.
struct Place {
  Place() {
    REQUIRE(crypto::create_master_key_file(scratch.path("master.key")).has_value());
    store = must(store::open_store(scratch.path(), store::OpenMode::create));
    organization = must(store->create_organization("acme"));
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
    last_key = must(store->create_key(key)).id;
    return std::string(secret.reveal());
  }
  store::Scratch scratch;
  std::unique_ptr<store::Store> store;
  store::Organization organization;
  std::string last_key;
  account::LimitArena arena;
};

bool has(const account::SnapshotPointer& snapshot, const std::string& key) {
  return snapshot->lookup(account::key_digest(key)) != nullptr;
}

std::string refusal(const KeeperOptions& options) {
  account::LimitArena arena;
  const auto keeper = Keeper::open(options, arena);
  REQUIRE(!keeper);
  CHECK(keeper.error().message.find('\n') == std::string::npos);
  return keeper.error().message;
}

}  // namespace

TEST_CASE("opening tells what is missing") {
  Place place;
  KeeperOptions options = place.options();
  options.store = place.scratch.path("nowhere.db");
  const std::string missing = refusal(options);
  CHECK(missing.find("--store: ") == 0);
  CHECK(missing.find("nowhere.db") != std::string::npos);
  CHECK(missing.find("flexctl init") != std::string::npos);
  options.store = "postgres://db";
  CHECK(refusal(options).find("flexctl init") == std::string::npos);
  options = place.options();
  options.master_key_file = place.scratch.path("nokey");
  const std::string no_key = refusal(options);
  CHECK(no_key.find("--master-key-file: ") == 0);
  CHECK(no_key.find("nokey") != std::string::npos);
  // The store itself as a master key is no key.
  options.master_key_file = place.scratch.path();
  CHECK(refusal(options).find("--master-key-file: ") == 0);
}

TEST_CASE("the first snapshot is there at once, and says which providers have keys") {
  Place place;
  const std::string key = place.add_key();
  const auto master = crypto::MasterKeys::read(place.scratch.path("master.key"));
  REQUIRE(master.has_value());
  store::SealedProviderKey sealed{.organization = place.organization.number,
                                  .provider = "gemini",
                                  .secret_id = "sec_1",
                                  .sealed = "",
                                  .shown = "cret"};
  sealed.sealed = master->seal(
      "AIza-secret", store::associated_data(place.organization.id, "gemini", sealed.secret_id));
  must(place.store->set_provider_key(sealed));
  const auto keeper = Keeper::open(place.options(), place.arena);
  REQUIRE(keeper.has_value());
  const account::SnapshotPointer snapshot = (*keeper)->collect();
  REQUIRE(snapshot != nullptr);
  REQUIRE(has(snapshot, key));
  const account::KeyRecord& record = *snapshot->lookup(account::key_digest(key));
  CHECK(snapshot->organization(record).authorization(errors::Provider::gemini) == "AIza-secret");
  CHECK((*keeper)->had_key(errors::Provider::gemini));
  CHECK(!(*keeper)->had_key(errors::Provider::openai));
  CHECK((*keeper)->collect() == nullptr);
}

TEST_CASE(
    "a change of the store becomes a snapshot, and news that is not delivered is told again") {
  Place place;
  const std::string first = place.add_key();
  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  REQUIRE(keeper->collect() != nullptr);
  std::atomic<int> told = 0;
  keeper->start(nullptr, [&told] { return ++told > 2; });
  const std::string second = place.add_key();
  REQUIRE(wait_until([&] { return told >= 3; }));
  account::SnapshotPointer snapshot = keeper->collect();
  REQUIRE(snapshot != nullptr);
  CHECK(has(snapshot, first));
  CHECK(has(snapshot, second));
  const int before = told;
  must(place.store->change_key(place.last_key, store::KeyChange::revoke));
  REQUIRE(wait_until([&] { return told > before; }));
  snapshot = keeper->collect();
  REQUIRE(snapshot != nullptr);
  CHECK(has(snapshot, first));
  CHECK(!has(snapshot, second));
  // Nothing changes: nothing is told.
  const int quiet = told;
  std::this_thread::sleep_for(std::chrono::nanoseconds(10 * kPollNs));
  CHECK(told == quiet);
  CHECK(keeper->metrics().value(metrics::Counter::snapshots) == 3);
}

TEST_CASE("jobs run in order on the keeper's thread, replies on the collector's") {
  Place place;
  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  std::atomic<int> told = 0;
  keeper->start(nullptr, [&told] { return ++told > 0; });
  std::vector<int> order;
  std::thread::id ran_on;
  std::thread::id replied_on;
  for (int i = 0; i < 10; ++i) {
    REQUIRE(keeper->submit([&, i](store::Store& store) {
      must(store.find_organization("acme"));
      order.push_back(i);
      ran_on = std::this_thread::get_id();
      if (i == 9) keeper->reply([&] { replied_on = std::this_thread::get_id(); });
    }));
  }
  REQUIRE(wait_until([&] { return told > 0; }));
  keeper->collect();
  CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(ran_on != std::this_thread::get_id());
  CHECK(replied_on == std::this_thread::get_id());
}

TEST_CASE("the queue is bounded, and stopping runs what is in it") {
  Place place;
  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  keeper->start(nullptr, [] { return true; });
  std::promise<void> gate;
  std::promise<void> begun;
  REQUIRE(keeper->submit([&](store::Store&) {
    begun.set_value();
    gate.get_future().wait();
  }));
  begun.get_future().wait();
  size_t done = 0;
  for (size_t i = 0; i < Keeper::kJobsMax; ++i) {
    REQUIRE(keeper->submit([&done](store::Store&) { ++done; }));
  }
  CHECK(!keeper->submit([&done](store::Store&) { done += 1'000'000; }));
  std::thread stopper([&] { keeper->stop(); });
  gate.set_value();
  stopper.join();
  CHECK(done == Keeper::kJobsMax);
  CHECK(!keeper->submit([](store::Store&) {}));
}

TEST_CASE("a snapshot is retired on the keeper's thread, and here once that has ended") {
  Place place;
  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  keeper->start(nullptr, [] { return true; });
  std::atomic<std::thread::id> freed_on;
  const auto make = [&freed_on] {
    return account::SnapshotPointer(new account::Snapshot({}, {}),
                                    [&freed_on](const account::Snapshot* snapshot) {
                                      delete snapshot;
                                      freed_on = std::this_thread::get_id();
                                    });
  };
  keeper->retire(make());
  REQUIRE(wait_until([&] { return freed_on.load() != std::thread::id(); }));
  CHECK(freed_on.load() != std::this_thread::get_id());
  keeper->stop();
  keeper->retire(make());
  CHECK(freed_on.load() == std::this_thread::get_id());
}

TEST_CASE("a store that fails leaves the last snapshot, one line and a gauge, and comes back") {
  Place place;
  place.add_key();
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  std::string lines;
  {
    LogWriter writer(pipe[1], false);
    Log log(writer.add_ring(), LogFormat::json, LogLevel::info);
    std::atomic<bool> failing = false;
    auto keeper = std::move(
        Keeper::open(
            std::make_unique<Switch>(
                must(store::open_store(place.scratch.path(), store::OpenMode::existing)), failing),
            place.options(), place.arena)
            .value());
    REQUIRE(keeper->collect() != nullptr);
    std::atomic<int> told = 0;
    keeper->start(&log, [&told] { return ++told > 0; });
    failing = true;
    const metrics::Core& metrics = keeper->metrics();
    place.add_key();
    REQUIRE(wait_until([&] { return metrics.value(metrics::Counter::store_errors) >= 5; }));
    CHECK(metrics.value(metrics::Gauge::store_failing) == 1);
    CHECK(told == 0);
    CHECK(keeper->collect() == nullptr);
    failing = false;
    REQUIRE(wait_until([&] { return told > 0; }));
    CHECK(keeper->collect() != nullptr);
    CHECK(metrics.value(metrics::Gauge::store_failing) == 0);
    keeper->stop();
    writer.drain();
  }
  std::array<char, 4096> space{};
  const ssize_t count = ::read(pipe[0], space.data(), space.size());
  if (count > 0) lines.assign(space.data(), static_cast<size_t>(count));
  for (const int fd : pipe) ::close(fd);
  const size_t failed = lines.find("store_failing");
  REQUIRE(failed != std::string::npos);
  CHECK(lines.find("the disk is gone") != std::string::npos);
  CHECK(lines.find("store_failing", failed + 1) == std::string::npos);
  CHECK(lines.find("store_recovered") != std::string::npos);
}
