#include "clerk.hpp"

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "place.hpp"

using namespace flexd;
using app::Clerk;
using app::Place;
using app::wait_until;
using store::must;

namespace {

// Desk is a clerk over a Place's store.
struct Desk {
  Desk() {
    clerk.start(nullptr, [this] { return ++told > refuse; });
  }

  // hold keeps the clerk's thread in a job until `open`.
  void hold() {
    REQUIRE(clerk.submit(
        99,
        [this](store::Store&) {
          begun.set_value();
          gate.get_future().wait();
        },
        [](bool) {}));
    begun.get_future().wait();
  }
  void open() { gate.set_value(); }
  // note submits a job of `owner` that writes its name into `order`.
  void note(store::Number owner, const std::string& name) {
    REQUIRE(clerk.submit(
        owner, [this, name](store::Store&) { order += name; },
        [this](bool ran) { ++(ran ? ran_count : dropped_count); }));
  }

  Place place;
  std::atomic<int> told = 0;
  std::atomic<int> refuse = 0;
  std::promise<void> begun;
  std::promise<void> gate;
  std::string order;
  int ran_count = 0;
  int dropped_count = 0;
  Clerk clerk{must(store::open_store(place.scratch.path(), store::OpenMode::existing))};
};

}  // namespace

TEST_CASE("clerk: jobs run with the store, replies on the collector's thread") {
  Desk desk;
  std::thread::id ran_on;
  std::thread::id replied_on;
  REQUIRE(desk.clerk.submit(
      1,
      [&](store::Store& store) {
        must(store.find_organization("acme"));
        ran_on = std::this_thread::get_id();
      },
      [&](bool ran) {
        CHECK(ran);
        replied_on = std::this_thread::get_id();
      }));
  REQUIRE(wait_until([&] { return desk.told > 0; }));
  desk.clerk.collect();
  CHECK(ran_on != std::this_thread::get_id());
  CHECK(replied_on == std::this_thread::get_id());
}

TEST_CASE("clerk: news that is not delivered is told again") {
  Desk desk;
  desk.refuse = 3;
  desk.note(1, "a");
  REQUIRE(wait_until([&] { return desk.told > 3; }));
  desk.clerk.collect();
  CHECK(desk.ran_count == 1);
}

TEST_CASE("clerk: owners take turns, and the jobs of each run in order") {
  Desk desk;
  desk.hold();
  for (const char* name : {"a", "b", "c", "d"}) desk.note(1, name);
  desk.note(2, "x");
  desk.note(2, "y");
  desk.note(3, "1");
  desk.open();
  REQUIRE(wait_until([&] {
    desk.clerk.collect();
    return desk.ran_count == 7;
  }));
  CHECK(desk.order == "ax1bycd");
  // One that comes back waits behind nobody.
  desk.note(1, "e");
  REQUIRE(wait_until([&] {
    desk.clerk.collect();
    return desk.ran_count == 8;
  }));
}

TEST_CASE("clerk: a question that does not end keeps the keeper from nothing") {
  Desk desk;
  const std::string key = desk.place.add_key();
  auto keeper = std::move(app::Keeper::open(desk.place.options(), desk.place.arena).value());
  REQUIRE(keeper->collect() != nullptr);
  std::atomic<int> told = 0;
  keeper->start(nullptr, [&told] { return ++told > 0; });
  std::promise<void> begun;
  std::promise<void> gate;
  REQUIRE(desk.clerk.submit(
      1,
      [&](store::Store& store) {
        must(store.keys(desk.place.organization.number));
        begun.set_value();
        gate.get_future().wait();
      },
      [](bool) {}));
  begun.get_future().wait();
  must(desk.place.store->change_key(desk.place.last_key, store::KeyChange::revoke));
  std::promise<void> written;
  REQUIRE(keeper->submit([&](store::Store& store) {
    must(store.record_usage(
        std::vector{store::UsageRow{
            .organization = desk.place.organization.number, .day = 1, .counts = {.requests = 1}}},
        {}));
    written.set_value();
  }));
  written.get_future().wait();
  REQUIRE(wait_until([&] { return told > 0; }));
  CHECK(keeper->collect()->lookup(account::key_digest(key)) == nullptr);
  gate.set_value();
}

TEST_CASE("clerk: the queue is bounded, and what is in it at a stop is answered, not run") {
  Desk desk;
  desk.hold();
  for (size_t i = 0; i < Clerk::kJobsMax; ++i) desk.note(static_cast<store::Number>(i % 7), "x");
  CHECK_FALSE(desk.clerk.submit(1, [](store::Store&) {}, [](bool) {}));
  std::thread stopper([&] { desk.clerk.stop(); });
  REQUIRE(wait_until([&] {
    // What is taken before the stop is dropped too.
    return !desk.clerk.submit(1, [](store::Store&) {}, [](bool) {});
  }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  desk.open();
  stopper.join();
  desk.clerk.collect();
  CHECK(desk.order.empty());
  CHECK(desk.ran_count == 0);
  CHECK(desk.dropped_count == static_cast<int>(Clerk::kJobsMax));
  CHECK_FALSE(desk.clerk.submit(1, [](store::Store&) {}, [](bool) {}));
  desk.clerk.collect();
  CHECK(desk.dropped_count == static_cast<int>(Clerk::kJobsMax));
}

TEST_CASE("clerk: a stop interrupts the job under way") {
  Desk desk;
  std::promise<void> begun;
  bool failed = false;
  bool replied = false;
  REQUIRE(desk.clerk.submit(
      1,
      [&](store::Store& store) {
        begun.set_value();
        // Until it is interrupted.
        while (store.keys(desk.place.organization.number)) continue;
        failed = true;
      },
      [&](bool ran) { replied = ran; }));
  for (int i = 0; i < 3; ++i) desk.place.add_key();
  begun.get_future().wait();
  // Enough of them that a look at them all takes a while.
  const auto insert = [&](store::Store& store) {
    store::Key key;
    key.organization = desk.place.organization.number;
    for (int i = 0; i < 400; ++i) {
      key.digest = crypto::sha256(std::to_string(i));
      key.shown = "flex_live_0123";
      must(store.create_key(key));
    }
  };
  insert(*desk.place.store);
  desk.clerk.stop();
  desk.clerk.collect();
  CHECK(failed);
  CHECK(replied);
}
