// Several stores on one file, and what they see of each other.
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "flexd/store/store.hpp"
#include "schema.hpp"
#include "scratch.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;

TEST_CASE("version differs after each change of the configuration, here and elsewhere") {
  const Scratch scratch;
  const auto here = open(scratch);
  const auto elsewhere = open(scratch, OpenMode::existing);
  uint64_t last = must(here->version());
  CHECK(last != 0);
  // changed says whether both see one new version, which load has too.
  const auto changed = [&] {
    const uint64_t now = must(here->version());
    CHECK(must(elsewhere->version()) == now);
    CHECK(must(here->load()).version == now);
    const bool differs = now != last;
    last = now;
    return differs;
  };
  CHECK_FALSE(changed());
  for (Store* store : {here.get(), elsewhere.get()}) {
    const std::string name = store == here.get() ? "here" : "elsewhere";
    const Number number = must(store->create_organization(name)).number;
    CHECK(changed());
    must(store->change_organization(number, {.billing = Billing::overdue}));
    CHECK(changed());
    must(store->add_credit(number, 5));
    CHECK(changed());
    Key sample = sample_key(number, name);
    sample.models = {"m"};
    const Key key = must(store->create_key(sample));
    CHECK(changed());
    for (const KeyChange change : {KeyChange::deactivate, KeyChange::activate, KeyChange::revoke}) {
      must(store->change_key(key.id, change));
      CHECK(changed());
    }
    must(store->set_provider_key(
        {.organization = number, .provider = "openai", .secret_id = "s", .sealed = "x"}));
    CHECK(changed());
    must(store->reseal([](const Organization&,
                          const SealedProviderKey&) -> StoreResult<std::string> { return "y"; }));
    CHECK(changed());
    must(store->remove_provider_key(number, "openai"));
    CHECK(changed());
    for (const bool maintenance : {true, false}) {
      must(store->set_model({.name = "m", .maintenance = maintenance}));
      CHECK(changed());
    }

    UsageRow row{.organization = number, .key = key.number, .day = 1};
    row.counts = {.requests = 1, .drawn_nanos = 1};
    must(store->record_usage(std::vector{row},
                             std::vector{KeyUse{.key = key.number, .month = 1, .requests = 1}}));
    CHECK_FALSE(changed());
    refused(store->create_organization(name));
    refused(store->create_key(sample));
    must(store->find_key(key.id));
    CHECK_FALSE(changed());
  }
}

TEST_CASE("load is one moment while another store writes") {
  const Scratch scratch;
  const auto reader = open(scratch);
  const Number acme = must(reader->create_organization("acme")).number;
  std::atomic<bool> stop = false;
  std::atomic<int> made = 0;
  std::thread writer([&] {
    const auto store = open(scratch, OpenMode::existing);
    for (int i = 0; !stop; ++i) {
      Key key = sample_key(acme, std::to_string(i));
      key.models = {"a", "b"};
      must(store->create_key(key));
      must(store->set_model(
          {.name = "count", .maintenance = true, .retry_after_s = static_cast<uint32_t>(i + 1)}));
      made = i + 1;
    }
  });
  size_t last = 0;
  uint64_t version = 0;
  while (made < 100) {
    const Contents contents = must(reader->load());
    const size_t count = contents.models.empty() ? 0 : contents.models[0].retry_after_s;
    CHECK((contents.keys.size() == count || contents.keys.size() == count + 1));
    for (const Key& key : contents.keys) CHECK(key.models.size() == 2);
    CHECK(contents.keys.size() >= last);
    CHECK((contents.version > version || contents.keys.size() == last));
    last = contents.keys.size();
    version = contents.version;
  }
  stop = true;
  writer.join();
  CHECK(last > 0);
}

TEST_CASE("writers wait for one another, and one that waits too long is told so") {
  const Scratch scratch;
  const auto store = open(scratch);
  const auto reader = open(scratch);
  {
    const Database other = must(Database::open(scratch.path()));
    auto held = must(Transaction::begin(other, Transaction::Mode::write));
    std::thread releasing([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      must(held.commit());
    });
    must(store->create_organization("acme"));
    releasing.join();
  }
  const Database other = must(Database::open(scratch.path()));
  const auto held = must(Transaction::begin(other, Transaction::Mode::write));
  CHECK(must(reader->load()).organizations.size() == 1);  // readers do not wait
  const auto begin = std::chrono::steady_clock::now();
  const Error error = refused(store->create_organization("other"));
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(error.kind == Kind::unavailable);
  CHECK(error.message.find("another process") != std::string::npos);
  CHECK(took > std::chrono::milliseconds(kBusyMs - 1000));
}

TEST_CASE(
    "processes that make the store, write and close at the same time do not disturb each other") {
  const Scratch scratch;
  constexpr int kProcesses = 4;
  constexpr int kSessions = 15;
  const char* program = std::getenv("STORE_WRITER");
  REQUIRE(program != nullptr);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < kProcesses; ++i) {
    threads.emplace_back([&, i] {
      const std::string command = std::string("'") + program + "' sessions '" + scratch.path() +
                                  "' " + std::to_string(i) + " " + std::to_string(kSessions);
      if (std::system(command.c_str()) == 0) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == kProcesses);
  CHECK(must(open(scratch)->load()).keys.size() == kProcesses * kSessions);
}

TEST_CASE("a hundred thousand keys load in well under a second") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  const auto clock = [] { return std::chrono::steady_clock::now(); };
  const auto ms = [](auto span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
  };
  constexpr size_t kKeys = 100'000;
  {
    const Database database = must(Database::open(scratch.path()));
    must(database.run(
        ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
         std::to_string(kKeys) + ") INSERT INTO keys SELECT i, format('key_%012x', i), " +
         std::to_string(acme) +
         ", 'name', 0, randomblob(32), 'flex_live_0123', 1, 0, 0, 0, 0, '600s', 0, 5, NULL FROM n")
            .c_str()));
    must(database.run("INSERT INTO key_models SELECT number, 0, 'gpt-*' FROM keys"));
    must(database.run("INSERT INTO key_use SELECT number, 1, 2, 3, 4, 5 FROM keys"));
  }
  const auto begin = clock();
  const auto cpu_begin = std::clock();
  const Contents contents = must(store->load());
  const auto cpu_ms = (std::clock() - cpu_begin) * 1000 / CLOCKS_PER_SEC;
  const auto loaded = clock();
  for (int i = 0; i < 1000; ++i) CHECK(must(store->version()) == contents.version);
  const auto asked = clock();
  CHECK(contents.keys.size() == kKeys);
  CHECK(contents.keys.back().models.size() == 1);
  CHECK(contents.keys.back().month_nanos == 4);
  std::vector<KeyUse> uses;
  for (const Key& key : contents.keys)
    uses.push_back({.key = key.number, .month = 2, .requests = 1});
  const auto recording = clock();
  must(store->record_usage({}, uses));
  MESSAGE("load: ", ms(loaded - begin), " ms (CPU: ", cpu_ms,
          "); version, 1000 times: ", ms(asked - loaded),
          " ms; use of every key: ", ms(clock() - recording), " ms");
  // Of the CPU, since other tests run beside this one; with room for sanitizers.
  CHECK(cpu_ms < 3'000);
}

}  // namespace
}  // namespace flexd::store
