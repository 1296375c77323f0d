#include "usage_collector.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <future>
#include <span>

#include "flexd/base/log.hpp"
#include "place.hpp"

using namespace flexd;
using app::Keeper;
using app::Place;
using app::Switch;
using app::SwitchState;
using app::UsageCollector;
using app::wait_until;
using store::must;
using Table = std::unique_ptr<account::UsageTable>;

namespace {

// Gate holds the keeper's thread in a job.
class Gate {
 public:
  explicit Gate(Keeper& keeper) {
    REQUIRE(keeper.submit([this](store::Store&) {
      begun_.set_value();
      open_.get_future().wait();
    }));
    begun_.get_future().wait();
  }
  void open() { open_.set_value(); }

 private:
  std::promise<void> begun_;
  std::promise<void> open_;
};

// Lock is another connection's write transaction, until it dies.
class Lock {
 public:
  explicit Lock(store::Store& store)
      : thread_([this, &store] {
          must(store.reseal([this](const auto&, const store::SealedProviderKey& key) {
            begun_.set_value();
            open_.get_future().wait();
            return store::StoreResult<std::string>(key.sealed);
          }));
        }) {
    begun_.get_future().wait();
  }
  ~Lock() {
    open_.set_value();
    thread_.join();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::promise<void> begun_;
  std::promise<void> open_;
  std::thread thread_;
};

// Office is a collector over a store, and workers that count one request each time.
struct Office {
  explicit Office(size_t workers, Log* log = nullptr)
      : spare(workers, nullptr),
        asked(workers, 0),
        collector(
            workers,
            [this](size_t worker, account::UsageTable* empty) {
              ++asked[worker];
              if (empty != nullptr) spare[worker] = empty;
              return mailboxes_have_room;
            },
            *keeper) {
    place.add_key();
    const auto master = crypto::MasterKeys::read(place.scratch.path("master.key"));
    store::SealedProviderKey sealed{.organization = place.organization.number,
                                    .provider = "openai",
                                    .secret_id = "sec_1",
                                    .sealed = "",
                                    .shown = "cret"};
    sealed.sealed = master->seal(
        "sk-secret", store::associated_data(place.organization.id, "openai", sealed.secret_id));
    must(place.store->set_provider_key(sealed));
    key = must(place.store->find_key(place.last_key)).number;
    for (size_t i = 0; i < workers; ++i) own.push_back(std::make_unique<account::UsageTable>());
    keeper->start(log, [] { return true; });
  }
  // The keeper's thread may be at the end of a job of the collector's.
  ~Office() { keeper->stop(); }
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;
  void count(account::UsageTable& table, std::string_view model = "m") const {
    account::UsageEntry entry;
    entry.organization = place.organization.number;
    entry.key = key;
    entry.unix_s = 1'800'000'000;
    entry.model = model;
    entry.provider = "openai";
    entry.counts.requests = 1;
    table.add(entry);
  }
  // hand_over is what a worker does when it is asked.
  void hand_over(size_t worker) {
    REQUIRE(spare[worker] != nullptr);
    CHECK(spare[worker]->empty());
    count(*own[worker]);
    Table full = std::exchange(own[worker], Table(std::exchange(spare[worker], nullptr)));
    collector.take(worker, std::move(full));
  }
  int64_t written() { return must(place.store->usage({})).front().counts.requests; }
  bool collect_until(int64_t requests) {
    return wait_until([&] {
      keeper->collect();
      return written() == requests;
    });
  }

  Place place;
  SwitchState state;
  std::unique_ptr<Keeper> keeper = std::move(
      Keeper::open(
          std::make_unique<Switch>(
              must(store::open_store(place.scratch.path(), store::OpenMode::existing)), state),
          place.options(), place.arena)
          .value());
  store::Number key = 0;
  std::vector<Table> own;
  std::vector<account::UsageTable*> spare;
  std::vector<int> asked;
  bool mailboxes_have_room = true;
  UsageCollector collector;
};

uint64_t now_ms() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

TEST_CASE("usage collector: a worker has two tables, however long the store stalls") {
  Office office(1);
  Gate gate(*office.keeper);
  office.collector.ask_all();
  REQUIRE(office.asked[0] == 1);
  const account::UsageTable* const first = office.own[0].get();
  const account::UsageTable* const second = office.spare[0];
  office.hand_over(0);
  for (int round = 0; round < 10; ++round) office.collector.ask_all();
  office.collector.ask(0);
  CHECK(office.asked[0] == 1);
  CHECK(office.spare[0] == nullptr);
  CHECK(office.own[0].get() == second);
  gate.open();
  // It was to be asked: it is as soon as the first is back.
  REQUIRE(wait_until([&] {
    office.keeper->collect();
    return office.asked[0] == 2;
  }));
  CHECK(office.spare[0] == first);
  CHECK(office.state.records == 1);
  CHECK(office.state.record_wait_ms == UsageCollector::kWaitMs);
  CHECK(office.state.wait_ms == store::kBusyMs);
  // Nothing was counted since: the wish is repeated, without another table.
  office.collector.ask_all();
  CHECK(office.asked[0] == 3);
  CHECK(office.spare[0] == first);
  office.hand_over(0);
  CHECK(office.collect_until(2));
}

TEST_CASE("usage collector: what comes during a write is written in one more") {
  Office office(4);
  Gate gate(*office.keeper);
  office.collector.ask_all();
  for (size_t worker = 0; worker < 4; ++worker) office.hand_over(worker);
  office.collector.ask_all();
  gate.open();
  CHECK(office.collect_until(4));
  CHECK(office.state.records == 2);
}

TEST_CASE("usage collector: a mailbox and a queue that were full are tried again") {
  Office office(1);
  office.mailboxes_have_room = false;
  office.collector.ask_all();
  office.mailboxes_have_room = true;
  office.collector.ask_all();
  CHECK(office.asked[0] == 2);
  Gate gate(*office.keeper);
  while (office.keeper->submit([](store::Store&) {})) continue;
  office.hand_over(0);
  gate.open();
  REQUIRE(wait_until([&] { return office.keeper->submit([](store::Store&) {}); }));
  office.collector.ask_all();
  CHECK(office.collect_until(1));
}

TEST_CASE("usage collector: a locked store keeps the keeper's thread for a moment only") {
  Office office(1);
  {
    const Lock lock(*office.place.store);
    office.collector.ask_all();
    const uint64_t begin_ms = now_ms();
    office.hand_over(0);
    std::promise<void> after;
    REQUIRE(office.keeper->submit([&after](store::Store&) { after.set_value(); }));
    after.get_future().wait();
    CHECK(now_ms() - begin_ms < store::kBusyMs / 2);
    office.keeper->collect();
  }
  // Nothing new: what waits is written by the next round all the same.
  office.collector.ask_all();
  CHECK(office.collect_until(1));
}

TEST_CASE("usage collector: the last write takes what is anywhere") {
  Office office(3);
  Gate gate(*office.keeper);
  office.collector.ask_all();
  office.hand_over(0);  // in the keeper's queue
  office.hand_over(1);  // waits for the one before
  for (const Table& table : office.own) office.count(*table, "late");
  for (Table& table : office.own) office.collector.take_last(std::move(table));
  office.collector.take_last(nullptr);
  std::thread opener([&] {
    REQUIRE(wait_until([&] { return !office.keeper->submit([](store::Store&) {}); }));
    gate.open();
  });
  office.keeper->stop(office.collector.last_write());
  opener.join();
  office.keeper->collect();
  CHECK(office.written() == 5);
  CHECK(office.state.records == 1);
  CHECK(office.state.record_wait_ms == UsageCollector::kLastWaitMs);
}

TEST_CASE("usage collector: the end does not wait for a locked store, and says what is lost") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  {
    LogWriter writer(pipe[1], false);
    Log log(writer.add_ring(), LogFormat::json, LogLevel::info);
    Office office(2, &log);
    const Lock lock(*office.place.store);
    office.collector.ask_all();
    for (size_t worker = 0; worker < 2; ++worker) office.hand_over(worker);
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(office.keeper->submit(
          [](store::Store& store) { static_cast<void>(store.create_organization("late")); }));
    }
    office.count(*office.own[0]);
    office.collector.take_last(std::move(office.own[0]));
    const uint64_t begin_ms = now_ms();
    office.keeper->stop(office.collector.last_write());
    // One job of the hundred may be under way.
    CHECK(now_ms() - begin_ms < store::kBusyMs + UsageCollector::kLastWaitMs + 2'000);
    office.keeper->collect();
    set_thread_log(&log);
    office.collector.report_rest();
    set_thread_log(nullptr);
    writer.drain();
  }
  std::array<char, 8192> space{};
  const ssize_t count = ::read(pipe[0], space.data(), space.size());
  REQUIRE(count > 0);
  const std::string lines(space.data(), static_cast<size_t>(count));
  for (const int fd : pipe) ::close(fd);
  CHECK(lines.find(R"("usage_lost","requests":3,"key_uses":1)") != std::string::npos);
  CHECK(lines.find("store_jobs_dropped") != std::string::npos);
  CHECK(lines.find("usage_waits") != std::string::npos);
}
