// A file that is put in the place of the store of a gateway that runs.
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "flexd/account/key.hpp"
#include "keeper.hpp"
#include "place.hpp"
#include "scratch.hpp"
#include "usage_backlog.hpp"

using namespace flexd;
using app::Keeper;
using app::Place;
using app::wait_until;
using store::must;

namespace {

store::UsageRow row_of(const store::Key& key) {
  store::UsageRow row{.organization = key.organization, .key = key.number, .day = 1};
  row.counts.requests = 1;
  return row;
}

// copy_store makes a copy of a store whose log is empty: nobody has it open.
void copy_store(const store::Scratch& scratch, const std::string& name) {
  std::filesystem::copy_file(scratch.path(), scratch.path(name));
}

}  // namespace

TEST_CASE("a store that another replaces fails, the keys go on, and what was counted stays here") {
  Place place;
  const std::string kept = place.add_key();
  const store::Key key = must(place.store->find_key(place.last_key));
  place.store.reset();
  copy_store(place.scratch, "backup.db");

  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  REQUIRE(keeper->collect() != nullptr);
  keeper->start(nullptr, [] { return true; });
  std::filesystem::rename(place.scratch.path("backup.db"), place.scratch.path());
  REQUIRE(wait_until([&] { return keeper->metrics().value(metrics::Gauge::store_failing) == 1; }));
  CHECK(keeper->collect() == nullptr);

  app::UsageBacklog backlog;
  backlog.add({row_of(key)}, {{.key = key.number, .month = 1, .requests = 1}});
  std::atomic<bool> tried = false;
  REQUIRE(keeper->submit([&](store::Store& store) {
    CHECK_FALSE(
        backlog.write([&](auto rows, auto uses) { return store.record_usage(rows, uses); }));
    tried = true;
  }));
  REQUIRE(wait_until([&] { return tried.load(); }));
  keeper->stop();
  CHECK_FALSE(backlog.empty());
}

TEST_CASE("a store that is taken away fails until there is one again, and the snapshot stays") {
  Place place;
  place.add_key();
  const std::string path = place.scratch.path();
  auto keeper = std::move(Keeper::open(place.options(), place.arena).value());
  REQUIRE(keeper->collect() != nullptr);
  std::atomic<int> told = 0;
  keeper->start(nullptr, [&told] { return ++told > 0; });
  const auto failing = [&] { return keeper->metrics().value(metrics::Gauge::store_failing); };
  std::filesystem::rename(path, place.scratch.path("away.db"));
  REQUIRE(wait_until([&] { return failing() == 1; }));
  std::atomic<bool> refused = false;
  REQUIRE(keeper->submit([&](store::Store& store) {
    refused = !store.load() && !store.record_usage({}, std::vector{store::KeyUse{.key = 1}});
  }));
  REQUIRE(wait_until([&] { return refused.load(); }));
  CHECK(keeper->collect() == nullptr);
  std::filesystem::rename(place.scratch.path("away.db"), path);
  REQUIRE(wait_until([&] { return failing() == 0; }));
  place.add_key();
  REQUIRE(wait_until([&] { return told > 0; }));
  CHECK(keeper->collect() != nullptr);
}
