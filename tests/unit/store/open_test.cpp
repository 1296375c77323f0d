#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "flexd/store/store.hpp"
#include "schema.hpp"
#include "scratch.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;

mode_t mode_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

// change runs SQL on the file as another program would.
void change(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
  REQUIRE(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_close(handle) == SQLITE_OK);
}

// AsNobody gives up root's passage through modes for a while, where the test runs as root.
class AsNobody {
 public:
  AsNobody() { changed_ = ::geteuid() == 0 && ::seteuid(kNobody) == 0; }
  ~AsNobody() {
    if (changed_) CHECK(::seteuid(0) == 0);
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  static void own(const std::string& path) {
    if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), kNobody, kNobody) == 0);
  }

 private:
  static constexpr uid_t kNobody = 65'534;
  bool changed_ = false;
};

TEST_CASE("a new store is a file for its owner alone, and so are the files beside it") {
  const Scratch scratch;
  const mode_t before = ::umask(0);
  const auto store = open(scratch);
  ::umask(before);
  must(store->create_organization("acme"));
  CHECK(mode_of(scratch.path()) == 0600);
  CHECK(mode_of(scratch.path("flexd.db-wal")) == 0600);
  CHECK(mode_of(scratch.path("flexd.db-shm")) == 0600);
}

TEST_CASE("what was stored is there after closing and opening") {
  const Scratch scratch;
  {
    const auto store = open(scratch);
    must(store->create_key(sample_key(must(store->create_organization("acme")).number, "one")));
  }
  for (const OpenMode mode : {OpenMode::existing, OpenMode::create}) {
    const auto store = open(scratch, mode);
    CHECK(must(store->find_key(crypto::sha256("one"))).name == "batch");
  }
}

TEST_CASE("existing wants a store that is there, create makes one of an empty file too") {
  const Scratch scratch;
  const Error absent = refused(open_store(scratch.path(), OpenMode::existing));
  CHECK(absent.kind == Kind::not_found);
  CHECK(absent.message.find("flexctl init") != std::string::npos);
  CHECK(mode_of(scratch.path()) == 0);
  std::ofstream(scratch.path()).close();  // as a crash in the middle of making it leaves
  CHECK(refused(open_store(scratch.path(), OpenMode::existing)).kind == Kind::not_found);
  must(open(scratch)->create_organization("acme"));
}

TEST_CASE("a relative path, and names that SQLite reads otherwise, are files") {
  const Scratch scratch;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(scratch.folder());
  for (const char* name : {"flexd.db", ":memory:", "file:x?mode=memory"}) {
    CAPTURE(name);
    must(must(open_store(name, OpenMode::create))->create_organization("acme"));
    CHECK(std::filesystem::exists(scratch.folder() / name));
    must(must(open_store(name, OpenMode::existing))->find_organization("acme"));
  }
  std::filesystem::current_path(before);
}

TEST_CASE("what cannot be a store is refused in a line that says why") {
  const Scratch scratch;
  const auto message = [](const std::string& location, OpenMode mode, Kind kind) {
    const Error error = refused(open_store(location, mode));
    CHECK(error.kind == kind);
    return error.message;
  };
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    return text.find(part) != std::string::npos;
  };
  for (const OpenMode mode : {OpenMode::create, OpenMode::existing}) {
    const std::string url = message("postgres://user:secret@db/flexd", mode, Kind::invalid);
    CHECK(has(url, "SQLite"));
    CHECK_FALSE(has(url, "secret"));
    message("", mode, Kind::invalid);
    CHECK(has(message(scratch.folder(), mode, Kind::unavailable), "not a file"));
    std::ofstream(scratch.path("text")) << std::string(5000, 't');
    CHECK(has(message(scratch.path("text"), mode, Kind::unavailable), "not a store"));
  }
  CHECK(has(message(scratch.path("none/x.db"), OpenMode::create, Kind::unavailable), "folder"));
  message(scratch.path("none/x.db"), OpenMode::existing, Kind::not_found);
  change(scratch.path("other"), "CREATE TABLE t (x)");
  CHECK(
      has(message(scratch.path("other"), OpenMode::create, Kind::unavailable), "another program"));
  change(scratch.path("third"), "PRAGMA application_id = 7; PRAGMA user_version = 1");
  CHECK(
      has(message(scratch.path("third"), OpenMode::create, Kind::unavailable), "another program"));
}

TEST_CASE("a file that may only be read, or not even that, is refused") {
  const Scratch scratch;
  must(open(scratch)->create_organization("acme"));
  AsNobody::own(scratch.path());
  AsNobody::own(scratch.folder());
  const AsNobody nobody;
  REQUIRE(::chmod(scratch.path().c_str(), 0400) == 0);
  const Error error = refused(open_store(scratch.path(), OpenMode::existing));
  CHECK(error.kind == Kind::unavailable);
  CHECK(error.message.find("can only be read") != std::string::npos);
  REQUIRE(::chmod(scratch.path().c_str(), 0) == 0);
  CHECK(refused(open_store(scratch.path(), OpenMode::create)).kind == Kind::unavailable);
  REQUIRE(::chmod(scratch.path().c_str(), 0600) == 0);
  // A folder in which the log's files cannot be made.
  for (const char* name : {"flexd.db-wal", "flexd.db-shm"}) {
    std::filesystem::remove(scratch.path(name));
  }
  REQUIRE(::chmod(scratch.folder().c_str(), 0500) == 0);
  CHECK(refused(open_store(scratch.path(), OpenMode::existing)).kind == Kind::unavailable);
  CHECK(refused(open_store(scratch.path("new.db"), OpenMode::create)).kind == Kind::unavailable);
  REQUIRE(::chmod(scratch.folder().c_str(), 0700) == 0);
  must(must(open_store(scratch.path(), OpenMode::existing))->find_organization("acme"));
}

TEST_CASE("damage is an error of the call that meets it") {
  const Scratch scratch;
  {
    const auto store = open(scratch);
    const Number acme = must(store->create_organization("acme")).number;
    for (int i = 0; i < 100; ++i) must(store->create_key(sample_key(acme, std::to_string(i))));
  }
  {
    std::fstream file(scratch.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    const std::string noise(200'000, '\x5a');
    const auto size = static_cast<std::streamsize>(std::filesystem::file_size(scratch.path()));
    file.write(noise.data(), size - 4096);
  }
  auto store = open_store(scratch.path(), OpenMode::existing);
  const Error error = store ? refused((*store)->load()) : store.error();
  CHECK(error.kind == Kind::unavailable);
  CHECK(error.message.find("damaged") != std::string::npos);
}

TEST_CASE("a store of a newer flexd is refused and left alone") {
  const Scratch scratch;
  must(open(scratch)->create_organization("acme"));
  const std::string newer = std::to_string(migrations().size() + 1);
  change(scratch.path(), "PRAGMA user_version = " + newer);
  for (const OpenMode mode : {OpenMode::create, OpenMode::existing}) {
    const Error error = refused(open_store(scratch.path(), mode));
    CHECK(error.kind == Kind::unavailable);
    CHECK(error.message.find("newer flexd (schema " + newer) != std::string::npos);
  }
  change(scratch.path(), "PRAGMA user_version = " + std::to_string(migrations().size()));
  must(open(scratch)->find_organization("acme"));
}

TEST_CASE("a file of each earlier version becomes one of this, with what was in it") {
  // With two versions to come, so that there are earlier ones.
  std::vector<Migration> list(migrations().begin(), migrations().end());
  const size_t released = list.size();
  list.push_back("ALTER TABLE organizations ADD COLUMN country TEXT NOT NULL DEFAULT 'none'");
  list.push_back("CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later VALUES (1)");
  for (size_t version = 0; version <= list.size(); ++version) {
    CAPTURE(version);
    const Scratch scratch;
    std::ofstream(scratch.path()).close();
    const Database database = must(Database::open(scratch.path()));
    const std::span<const Migration> all(list);
    if (version != 0) must(migrate(database, all.first(version)));
    CHECK(must(database.number("PRAGMA user_version")) == static_cast<int64_t>(version));
    CHECK(must(schema_state(database, all)) == (version == 0             ? SchemaState::empty
                                                : version == list.size() ? SchemaState::current
                                                                         : SchemaState::older));
    if (version >= released) {
      must(database.run("INSERT INTO organizations (id, name, created_at_s) VALUES ('a', 'b', 3)"));
    }
    must(migrate(database, all));
    must(migrate(database, all));  // nothing more to do
    CHECK(must(database.number("PRAGMA user_version")) == static_cast<int64_t>(list.size()));
    CHECK(must(database.number("PRAGMA application_id")) == kApplicationId);
    CHECK(must(database.number("SELECT count(*) FROM organizations WHERE country = 'none'")) ==
          (version >= released ? 1 : 0));
    CHECK(must(database.number("SELECT x FROM later")) == 1);
  }
}

TEST_CASE("a migration that fails changes nothing") {
  const Scratch scratch;
  must(open(scratch)->create_organization("acme"));
  std::vector<Migration> list(migrations().begin(), migrations().end());
  list.push_back("DROP TABLE usage; CREATE TABLE keys (x INTEGER) STRICT");
  {
    const Database database = must(Database::open(scratch.path()));
    refused(migrate(database, list));
  }
  CHECK(must(open(scratch)->usage({})).size() == 1);
}

}  // namespace
}  // namespace flexd::store
