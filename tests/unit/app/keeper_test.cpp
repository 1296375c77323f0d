#include "keeper.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "flexd/account/key.hpp"
#include "flexd/crypto/seal.hpp"
#include "place.hpp"
#include "scratch.hpp"

using namespace flexd;
using app::Keeper;
using app::KeeperOptions;
using app::kPollNs;
using app::Place;
using app::Switch;
using app::SwitchState;
using app::wait_until;
using store::must;

namespace {

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

TEST_CASE("a look that is due comes before the next job") {
  Place place;
  const std::string key = place.add_key();
  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  REQUIRE(has(keeper->collect(), key));
  std::atomic<int> told = 0;
  std::promise<void> gate;
  std::promise<int> told_before_second;
  keeper->start(nullptr, [&told] { return ++told > 0; });
  REQUIRE(keeper->submit([&](store::Store&) {
    gate.get_future().wait();
    must(place.store->change_key(place.last_key, store::KeyChange::revoke));
    std::this_thread::sleep_for(std::chrono::nanoseconds(2 * kPollNs));
  }));
  REQUIRE(keeper->submit([&](store::Store&) { told_before_second.set_value(told); }));
  gate.set_value();
  CHECK(told_before_second.get_future().get() > 0);
  const account::SnapshotPointer snapshot = keeper->collect();
  REQUIRE(snapshot != nullptr);
  CHECK(!has(snapshot, key));
}

TEST_CASE("stopping runs the last job first, and drops what has not begun in time") {
  Place place;
  KeeperOptions options = place.options();
  for (const bool in_time : {true, false}) {
    CAPTURE(in_time);
    options.stop_ns = in_time ? KeeperOptions().stop_ns : 20'000'000;
    account::LimitArena arena;
    auto keeper = std::move(Keeper::open(options, arena).value());
    keeper->start(nullptr, [] { return true; });
    std::promise<void> gate;
    std::promise<void> begun;
    REQUIRE(keeper->submit([&](store::Store&) {
      begun.set_value();
      gate.get_future().wait();
    }));
    begun.get_future().wait();
    std::vector<std::string> order;
    REQUIRE(keeper->submit([&order](store::Store&) { order.emplace_back("queued"); }));
    std::thread stopper([&] {
      keeper->stop([&order](store::Store&) {
        order.emplace_back("last");
        std::this_thread::sleep_for(std::chrono::milliseconds(40));
      });
    });
    REQUIRE(wait_until([&] { return !keeper->submit([](store::Store&) {}); }));
    gate.set_value();
    stopper.join();
    CHECK(order == (in_time ? std::vector<std::string>{"last", "queued"}
                            : std::vector<std::string>{"last"}));
  }
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
    SwitchState state;
    auto keeper = std::move(
        Keeper::open(
            std::make_unique<Switch>(
                must(store::open_store(place.scratch.path(), store::OpenMode::existing)), state),
            place.options(), place.arena)
            .value());
    REQUIRE(keeper->collect() != nullptr);
    std::atomic<int> told = 0;
    keeper->start(&log, [&told] { return ++told > 0; });
    state.failing = true;
    const metrics::Core& metrics = keeper->metrics();
    place.add_key();
    REQUIRE(wait_until([&] { return metrics.value(metrics::Counter::store_errors) >= 5; }));
    CHECK(metrics.value(metrics::Gauge::store_failing) == 1);
    CHECK(told == 0);
    CHECK(keeper->collect() == nullptr);
    state.failing = false;
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
