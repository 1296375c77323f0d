// Store::interrupt, which another thread calls.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "flexd/store/store.hpp"
#include "scratch.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;
using std::chrono::milliseconds;

int64_t ms_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin).count();
}

TEST_CASE("interrupt ends a long query, and every later one") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  {
    const Database database = must(Database::open(scratch.path()));
    must(install_functions(database));
    std::string zeros;
    for (int i = 0; i < 13; ++i) zeros += ", 0";
    must(database.run(("PRAGMA synchronous = OFF; "
                       "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                       "400000) INSERT INTO usage SELECT " +
                       std::to_string(acme) + ", 0, i, 'm', '', '', '', ''" + zeros + " FROM n")
                          .c_str()));
  }
  const UsageQuery query{.by = {UsageColumn::model}};
  const auto begin = std::chrono::steady_clock::now();
  must(store->usage(query));
  const int64_t whole_ms = ms_since(begin);
  std::chrono::steady_clock::time_point interrupted;
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(whole_ms / 10));
    interrupted = std::chrono::steady_clock::now();
    store->interrupt();
  });
  auto cut = store->usage(query);
  // On a busy machine the first may have been faster than the thread.
  while (cut) cut = store->usage(query);
  const auto ended = std::chrono::steady_clock::now();
  other.join();
  const Error error = refused(std::move(cut));
  const auto rest_ms = std::chrono::duration_cast<milliseconds>(ended - interrupted).count();
  MESSAGE("a query of ", whole_ms, " ms ended ", rest_ms, " ms after the interrupt");
  CHECK(rest_ms < whole_ms / 2 + 50);
  CHECK(error.kind == Kind::unavailable);
  CHECK(error.message.find("interrupted") != std::string::npos);
  CHECK(refused(store->usage(query)).kind == Kind::unavailable);
  // Others on the file are not touched.
  CHECK(must(open(scratch)->usage(query)).size() == 1);
}

TEST_CASE("interrupt ends the wait for a lock, and what was begun is not there") {
  const Scratch scratch;
  const auto store = open(scratch);
  {
    const Database other = must(Database::open(scratch.path()));
    const auto held = must(Transaction::begin(other, Transaction::Mode::write));
    std::thread interrupter([&] {
      std::this_thread::sleep_for(milliseconds(100));
      store->interrupt();
    });
    const auto begin = std::chrono::steady_clock::now();
    CHECK(refused(store->create_organization("acme")).kind == Kind::unavailable);
    CHECK(ms_since(begin) < kBusyMs / 2);
    interrupter.join();
  }
  CHECK(must(open(scratch)->load()).organizations.empty());
}

TEST_CASE("a wait for a lock is as long as was said") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Database other = must(Database::open(scratch.path()));
  const auto held = must(Transaction::begin(other, Transaction::Mode::write));
  for (const int wait_ms : {0, 150}) {
    store->set_wait_ms(wait_ms);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(refused(store->create_organization("acme")).kind == Kind::unavailable);
    CHECK(ms_since(begin) >= wait_ms);
    CHECK(ms_since(begin) < wait_ms + 1'000);
  }
}

}  // namespace
}  // namespace flexd::store
