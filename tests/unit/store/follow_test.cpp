#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flexd/store/store.hpp"
#include "scratch.hpp"
#include "sqlite.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;

// save makes a copy of the store as a backup does, without the log beside it.
void save(const Scratch& scratch, const std::string& name) {
  const Database database = must(Database::open(scratch.path()));
  must(database.run(("VACUUM INTO '" + scratch.path(name) + "'").c_str()));
}

std::vector<std::string> names(Store& store) {
  std::vector<std::string> result;
  for (const Organization& one : must(store.load()).organizations) result.push_back(one.name);
  return result;
}

using Names = std::vector<std::string>;

TEST_CASE("follow: a store that stays where it is, is not opened again") {
  const Scratch scratch;
  const auto store = open(scratch);
  const auto other = open(scratch, OpenMode::existing);
  for (int i = 0; i < 3; ++i) {
    must(other->create_organization("acme" + std::to_string(i)));
    CHECK_FALSE(must(store->follow()));
  }
  CHECK(names(*store).size() == 3);
}

TEST_CASE("follow: a backup that is moved over the file takes its place whole") {
  // With changes since the backup in the log beside the file, which SQLite would play into the
  // backup: they must be gone, and the file sound.
  const Scratch scratch;
  const auto first = open(scratch);
  const auto second = open(scratch, OpenMode::existing);
  const Number acme = must(first->create_organization("acme")).number;
  const Key key = must(first->create_key(sample_key(acme, "one")));
  save(scratch, "backup.db");
  must(first->change_key(key.id, KeyChange::revoke));
  for (int i = 0; i < 50; ++i) must(second->create_organization("since" + std::to_string(i)));
  CHECK(std::filesystem::file_size(scratch.path("flexd.db-wal")) > 0);
  std::filesystem::rename(scratch.path("backup.db"), scratch.path());

  CHECK(must(first->follow()));
  CHECK(names(*first) == Names{"acme"});
  CHECK(must(first->find_key(key.id)).revoked_at_s == 0);
  // The other connection still has the old file, and leaves the new one's log alone.
  must(first->create_organization("anew"));
  CHECK(must(second->follow()));
  CHECK(names(*second) == Names{"acme", "anew"});
  must(second->create_organization("newer"));
  CHECK(names(*first) == Names{"acme", "anew", "newer"});
  CHECK_FALSE(must(first->follow()));
  CHECK_FALSE(must(second->follow()));
  const Database database = must(Database::open(scratch.path()));
  Statement check(database, "PRAGMA integrity_check");
  CHECK(must(check.step()));
  CHECK(check.text(0) == "ok");
}

TEST_CASE("follow: until there is a store again every call is unavailable") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  std::filesystem::rename(scratch.path(), scratch.path("away.db"));
  for (int i = 0; i < 2; ++i) {
    CHECK(refused(store->follow()).kind == Kind::unavailable);
    CHECK(refused(store->version()).kind == Kind::unavailable);
    CHECK(refused(store->load()).kind == Kind::unavailable);
    CHECK(refused(store->spending(0)).kind == Kind::unavailable);
    CHECK(refused(store->usage({})).kind == Kind::unavailable);
    CHECK(refused(store->find_organization("acme")).kind == Kind::unavailable);
    CHECK(refused(store->create_organization("new")).kind == Kind::unavailable);
    CHECK(refused(store->record_usage({}, std::vector{KeyUse{.key = 1}})).kind ==
          Kind::unavailable);
    CHECK(refused(store->remove_provider_key(acme, "openai")).kind == Kind::unavailable);
  }
  // What comes is not a store.
  std::ofstream(scratch.path()) << "something else, and long enough to be read as a page of a file";
  CHECK(refused(store->follow()).kind == Kind::unavailable);
  CHECK(refused(store->version()).kind == Kind::unavailable);
  // The same file comes back, with the log that belongs to it.
  std::filesystem::rename(scratch.path("away.db"), scratch.path());
  CHECK(must(store->follow()));
  CHECK_FALSE(must(store->follow()));
  must(store->create_organization("new"));
  CHECK(names(*store) == Names{"acme", "new"});
}

TEST_CASE("follow: a link that leads elsewhere is another store, and the first one is left sound") {
  const Scratch scratch;
  must(must(open_store(scratch.path("a.db"), OpenMode::create))->create_organization("of-a"));
  must(must(open_store(scratch.path("b.db"), OpenMode::create))->create_organization("of-b"));
  std::filesystem::create_symlink("a.db", scratch.path());
  const auto store = must(open_store(scratch.path(), OpenMode::existing));
  must(store->create_organization("more"));
  std::filesystem::create_symlink("b.db", scratch.path("next"));
  std::filesystem::rename(scratch.path("next"), scratch.path());
  CHECK(must(store->follow()));
  CHECK(names(*store) == Names{"of-b"});
  const auto a = must(open_store(scratch.path("a.db"), OpenMode::existing));
  CHECK(names(*a) == Names{"of-a", "more"});
}

}  // namespace
}  // namespace flexd::store
