// A file that is put in the place of a store that is open.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "flexd/store/store.hpp"
#include "scratch.hpp"
#include "sqlite.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;
using Names = std::vector<std::string>;

Names names(Store& store) {
  Names result;
  for (const Organization& one : must(store.load()).organizations) result.push_back(one.name);
  return result;
}

void check_all_refused(Store& store, Number organization) {
  CHECK(refused(store.version()).kind == Kind::unavailable);
  CHECK(refused(store.load()).kind == Kind::unavailable);
  CHECK(refused(store.spending(0)).kind == Kind::unavailable);
  CHECK(refused(store.usage({})).kind == Kind::unavailable);
  CHECK(refused(store.find_organization("acme")).kind == Kind::unavailable);
  CHECK(refused(store.find_key("key_1")).kind == Kind::unavailable);
  CHECK(refused(store.keys(organization)).kind == Kind::unavailable);
  CHECK(refused(store.provider_keys(organization)).kind == Kind::unavailable);
  CHECK(refused(store.create_organization("new")).kind == Kind::unavailable);
  CHECK(refused(store.set_model({.name = "m", .maintenance = true})).kind == Kind::unavailable);
  CHECK(refused(store.record_usage({}, std::vector{KeyUse{.key = 1}})).kind == Kind::unavailable);
  CHECK(refused(store.remove_provider_key(organization, "openai")).kind == Kind::unavailable);
}

}  // namespace

TEST_CASE("a store that was taken away is unavailable, and sound when it comes back") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  std::filesystem::rename(scratch.path(), scratch.path("away.db"));
  check_all_refused(*store, acme);
  CHECK(refused(store->load()).message.find("not here any more") != std::string::npos);
  std::ofstream(scratch.path()) << "something else, and long enough to be read as a page of a file";
  check_all_refused(*store, acme);
  CHECK(refused(store->load()).message.find("another file") != std::string::npos);
  std::filesystem::rename(scratch.path("away.db"), scratch.path());
  must(store->create_organization("new"));
  CHECK(names(*store) == Names{"acme", "new"});
}

TEST_CASE("a backup that is moved over a store is not touched by whoever has the old one open") {
  const Scratch scratch;
  const auto first = open(scratch);
  const auto second = open(scratch, OpenMode::existing);
  const Number acme = must(first->create_organization("acme")).number;
  must(Database::open(scratch.path()))
      .run(("VACUUM INTO '" + scratch.path("backup.db") + "'").c_str())
      .value();
  must(second->create_organization("since"));
  std::filesystem::rename(scratch.path("backup.db"), scratch.path());
  const auto bytes = std::filesystem::file_size(scratch.path());
  const auto time = std::filesystem::last_write_time(scratch.path());
  check_all_refused(*first, acme);
  check_all_refused(*second, acme);
  CHECK(std::filesystem::exists(scratch.path("flexd.db-wal")));  // is theirs, and stays so
  CHECK(std::filesystem::file_size(scratch.path()) == bytes);
  CHECK(std::filesystem::last_write_time(scratch.path()) == time);
}

TEST_CASE("a link that leads elsewhere by now is another store, and both are left sound") {
  const Scratch scratch;
  must(must(open_store(scratch.path("a.db"), OpenMode::create))->create_organization("of-a"));
  must(must(open_store(scratch.path("b.db"), OpenMode::create))->create_organization("of-b"));
  std::filesystem::create_symlink("a.db", scratch.path());
  auto store = must(open_store(scratch.path(), OpenMode::existing));
  const auto beside = must(open_store(scratch.path("a.db"), OpenMode::existing));
  const Number more = must(store->create_organization("more")).number;
  std::filesystem::create_symlink("b.db", scratch.path("next"));
  std::filesystem::rename(scratch.path("next"), scratch.path());
  check_all_refused(*store, more);
  store.reset();
  must(beside->create_organization("still"));
  CHECK(names(*beside) == Names{"of-a", "more", "still"});
  CHECK(names(*must(open_store(scratch.path(), OpenMode::existing))) == Names{"of-b"});
}

}  // namespace flexd::store
