// Several gateways on one store, each with a keeper and a collector: what they have spent together.
#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flexd/account/gates.hpp"
#include "flexd/account/usage.hpp"
#include "place.hpp"
#include "usage_collector.hpp"

using namespace flexd;
using app::Keeper;
using app::KeeperOptions;
using app::kPollNs;
using app::Place;
using app::Switch;
using app::SwitchState;
using app::UsageCollector;
using app::wait_until;
using store::must;

namespace {

// kMuch is a limit that is not reached.
constexpr int64_t kMuch = 1'000'000'000'000;
// 2026-11-30T23:00:00Z, and the next day.
constexpr int64_t kNovember30 = 1'796'079'600;
constexpr int64_t kDecember1 = kNovember30 + 3'600;
const int32_t kNovember = store::month_of(kNovember30);
const int32_t kDecember = store::month_of(kDecember1);

// Shared is a store with a key of a budget and an organization that prepays.
struct Shared {
  explicit Shared(int64_t budget_requests, int64_t budget_nanos = kMuch,
                  int64_t credit_nanos = kMuch) {
    const crypto::Secret secret = account::generate_key(account::KeyKind::inference);
    store::Key key;
    key.organization = place.organization.number;
    key.digest = digest = account::key_digest(secret.reveal());
    key.shown = std::string(secret.reveal().substr(0, 14));
    key.budget_requests = budget_requests;
    key.budget_nanos = budget_nanos;
    must(place.store->create_key(key));
    must(place.store->add_credit(place.organization.number, credit_nanos));
  }
  store::Key stored() { return must(place.store->find_key(digest)); }

  Place place;
  crypto::Sha256Digest digest{};
};

// Gateway is one of several on a Shared, with one worker, which is this thread.
class Gateway {
 public:
  explicit Gateway(Shared& shared, int64_t now_s = kNovember30) : now(now_s), shared_(shared) {
    KeeperOptions options = shared.place.options();
    options.unix_s = [this] { return now.load(); };
    const std::string path = shared.place.scratch.path();
    keeper =
        std::move(Keeper::open(std::make_unique<Switch>(
                                   must(store::open_store(path, store::OpenMode::existing)), state),
                               options, arena_)
                      .value());
    snapshot_ = keeper->collect();
    collector_ = std::make_unique<UsageCollector>(
        1, [this](size_t, account::UsageTable* empty) { return give(empty); }, *keeper);
    keeper->start(nullptr, [] { return true; });
  }
  // The keeper's thread may be at the end of a job of the collector's.
  ~Gateway() { keeper->stop(); }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // admit asks as a request does, and keeps what it is to be counted with. end ends it.
  bool admit() {
    const account::KeyRecord& key = record();
    admitted_s_ = now;
    return account::check_money(key, snapshot_->organization(key), {.priced = true},
                                clock(admitted_s_), nullptr)
        .has_value();
  }
  void end(int64_t nanos) {
    const account::KeyRecord& key = record();
    const account::Organization& organization = snapshot_->organization(key);
    account::charge(key, organization, static_cast<uint64_t>(nanos), clock(admitted_s_),
                    clock(now));
    account::UsageEntry entry;
    entry.organization = organization.number;
    entry.key = key.number;
    entry.unix_s = static_cast<uint64_t>(admitted_s_);
    entry.model = "m";
    entry.counts_for_budget = true;
    entry.budget_nanos = nanos;
    entry.counts.requests = 1;
    entry.counts.drawn_nanos = nanos;
    own_->add(entry);
  }
  bool serve(int64_t nanos = 1) {
    if (!admit()) return false;
    end(nanos);
    return true;
  }
  // write brings what was counted to the store.
  void write() {
    collector_->ask_all();
    const int before = state.records;
    if (spare_ != nullptr && !own_->empty()) {
      auto full = std::exchange(own_, std::unique_ptr<account::UsageTable>(spare_));
      spare_ = nullptr;
      collector_->take(0, std::move(full));
      REQUIRE(wait_until([&] { return state.records > before; }));
    }
    // It has been given back, too.
    std::promise<void> done;
    REQUIRE(keeper->submit([&](store::Store&) { done.set_value(); }));
    done.get_future().wait();
    keeper->collect();
  }
  const account::KeyCells& cells() const { return *record().cells; }
  uint64_t requests() const { return cells().requests.get(store::month_of(now)); }
  uint64_t nanos() const { return cells().nanos.get(store::month_of(now)); }
  uint64_t spent() const { return snapshot_->organization(record()).cells->spent.get(); }

  std::atomic<int64_t> now;
  SwitchState state;
  std::unique_ptr<Keeper> keeper;

 private:
  static account::Clock clock(int64_t unix_s) {
    return {.monotonic_ns = 0, .unix_s = static_cast<uint64_t>(unix_s)};
  }
  bool give(account::UsageTable* empty) {
    if (empty != nullptr) spare_ = empty;
    return true;
  }
  const account::KeyRecord& record() const { return *snapshot_->lookup(shared_.digest); }

  Shared& shared_;
  account::LimitArena arena_;
  account::SnapshotPointer snapshot_;
  std::unique_ptr<account::UsageTable> own_ = std::make_unique<account::UsageTable>();
  account::UsageTable* spare_ = nullptr;
  std::unique_ptr<UsageCollector> collector_;
  int64_t admitted_s_ = 0;
};

}  // namespace

TEST_CASE("gateways: a budget that one has used up is used up at the other") {
  Shared shared(10);
  Gateway one(shared);
  Gateway two(shared);
  for (int i = 0; i < 10; ++i) CHECK(one.serve());
  CHECK_FALSE(one.serve());
  one.write();
  REQUIRE(wait_until([&] { return two.requests() == 10; }));
  CHECK_FALSE(two.serve());
  // The first one's own amounts came back from the store, and count once.
  CHECK(one.requests() == 10);
  CHECK(shared.stored().month_requests == 10);
}

TEST_CASE("gateways: in turns they admit exactly the budget, whatever each has not written yet") {
  Shared shared(500);
  Gateway one(shared);
  Gateway two(shared);
  uint64_t admitted = 0;
  for (bool more = true; more;) {
    more = false;
    for (Gateway* gateway : {&one, &two}) {
      for (int i = 0; i < 7; ++i) {
        if (!gateway->serve(3)) continue;
        more = true;
        ++admitted;
      }
      gateway->write();
      REQUIRE(wait_until([&] { return one.requests() == admitted && two.requests() == admitted; }));
      CHECK(one.nanos() == 3 * admitted);
      CHECK(two.spent() == 3 * admitted);
    }
  }
  CHECK(admitted == 500);
  CHECK(shared.stored().month_requests == 500);
}

TEST_CASE("gateways: at the same time nothing is counted twice and nothing is lost") {
  Shared shared(1'000'000);
  std::array<std::unique_ptr<Gateway>, 3> gateways;
  for (auto& gateway : gateways) gateway = std::make_unique<Gateway>(shared);
  std::atomic<uint64_t> served = 0;
  std::vector<std::thread> threads;
  threads.reserve(gateways.size());
  for (const auto& gateway : gateways) {
    threads.emplace_back([&] {
      for (int round = 0; round < 30; ++round) {
        for (int i = 0; i < 20; ++i) served += gateway->serve(5) ? 1 : 0;
        gateway->write();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(served == 1'800);
  for (const auto& gateway : gateways) {
    // What waited for another's lock is written by a later round.
    REQUIRE(wait_until([&] {
      gateway->write();
      return gateway->requests() == served && gateway->spent() == 5 * served;
    }));
    CHECK(gateway->nanos() == 5 * served);
  }
  CHECK(shared.stored().month_requests == 1'800);
}

TEST_CASE("gateways: credit and a budget in dollars that are spent elsewhere are spent here") {
  Shared money(kMuch, 100);
  Gateway one(money);
  Gateway two(money);
  CHECK(one.serve(60));
  CHECK(two.serve(30));
  one.write();
  REQUIRE(wait_until([&] { return two.nanos() == 90; }));
  CHECK(two.serve(10));
  CHECK_FALSE(two.serve());
  two.write();
  REQUIRE(wait_until([&] { return one.nanos() == 100; }));
  CHECK_FALSE(one.serve());

  Shared credit(kMuch, kMuch, 50);
  Gateway three(credit);
  Gateway four(credit);
  CHECK(three.serve(70));
  CHECK_FALSE(three.serve());
  three.write();
  REQUIRE(wait_until([&] { return four.spent() == 70; }));
  CHECK_FALSE(four.serve());
}

TEST_CASE("gateways: one alone reads no spending, whoever else writes to the store") {
  Shared shared(1'000);
  Gateway alone(shared);
  const store::Number key = shared.stored().number;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(alone.serve());
    alone.write();
    // As the admin API does, and flexctl.
    must(shared.place.store->record_usage(
        {}, std::vector{store::KeyUse{.key = key, .month = kNovember}}));
    if (i == 10) must(shared.place.store->create_organization("other"));
    std::this_thread::sleep_for(std::chrono::nanoseconds(2 * kPollNs));
  }
  CHECK(alone.requests() == 20);
  CHECK(alone.state.spent_read == 0);
}

TEST_CASE("gateways: a month ends, and what comes late is of the old one") {
  Shared shared(3, 300);
  Gateway one(shared);
  Gateway two(shared);
  CHECK(one.serve(100));
  CHECK(one.serve(100));
  REQUIRE(one.admit());  // and is under way past midnight
  one.write();
  CHECK_FALSE(one.admit());
  REQUIRE(wait_until([&] { return two.requests() == 2; }));

  // The second gateway's clock is a little ahead.
  two.now = kDecember1;
  CHECK(two.serve(10));
  two.write();
  REQUIRE(wait_until([&] { return shared.stored().month == kDecember; }));
  std::this_thread::sleep_for(std::chrono::nanoseconds(4 * kPollNs));
  CHECK(one.requests() == 3);
  CHECK_FALSE(one.admit());

  one.now = kDecember1 + 5;
  // It was passed over while November ran here.
  REQUIRE(wait_until([&] { return one.requests() == 1; }));
  CHECK(one.nanos() == 10);
}

TEST_CASE("gateways: a request that ends after midnight counts against neither month's budget") {
  Shared shared(3, 300);
  Gateway one(shared);
  Gateway two(shared);
  REQUIRE(one.admit());
  one.now = two.now = kDecember1;
  CHECK(two.serve(10));
  two.write();
  REQUIRE(wait_until([&] { return one.requests() == 1; }));
  one.end(290);  // of the one that was admitted in November
  one.write();
  CHECK(shared.stored().month == kDecember);
  CHECK(shared.stored().month_requests == 1);
  CHECK(shared.stored().month_nanos == 10);
  CHECK(one.nanos() == 10);
  CHECK(one.serve(10));
  CHECK(one.serve(10));
  CHECK_FALSE(one.serve());
  one.write();
  REQUIRE(wait_until([&] { return two.requests() == 3; }));
  CHECK(two.nanos() == 30);
  CHECK_FALSE(two.serve());
  // A gateway that starts now knows the same.
  Gateway three(shared, kDecember1 + 60);
  CHECK(three.requests() == 3);
  CHECK_FALSE(three.serve());
  Gateway four(shared, kDecember1 + 32 * 86'400);
  CHECK(four.serve());
}

TEST_CASE("gateways: a month's budget that is used up is whole again in the next") {
  Shared shared(2, 1'000);
  Gateway gateway(shared);
  for (int month = 0; month < 14; ++month) {
    CAPTURE(month);
    CHECK(gateway.serve(400));
    CHECK(gateway.serve(700));
    CHECK_FALSE(gateway.serve());
    gateway.write();
    CHECK(shared.stored().month_requests == 2);
    CHECK(shared.stored().month_nanos == 1'100);
    const int32_t before = store::month_of(gateway.now);
    while (store::month_of(gateway.now) == before) gateway.now += 86'400;
  }
}
