// Opening a store: the file, its settings, its schema.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "schema.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

constexpr auto kJournalPoll = std::chrono::milliseconds(5);
// kLockPollBitsMax: a lock is looked for after 1, 2, 4 and so on to 2^n ms.
constexpr int kLockPollBitsMax = 5;
// kStepsPerLook is how many steps of a statement, a few microseconds, pass between two looks.
constexpr int kStepsPerLook = 1'000;

std::unexpected<Error> unavailable(const std::string& path, const std::string& what) {
  return fail_as(Error::Kind::unavailable, path + ": " + what);
}

StoreResult<std::string> path_of(const std::string& location) {
  if (location.find("://") != std::string::npos) {
    return fail_as(Error::Kind::invalid,
                   "store " + location.substr(0, location.find("://")) +
                       "://…: only a path of a file is supported, whose store is SQLite's");
  }
  if (location.empty() || location.find('\0') != std::string::npos) {
    return fail_as(Error::Kind::invalid, "the path of the store is empty or has a zero byte");
  }
  // SQLite gives names like ":memory:" a meaning of their own.
  return location.starts_with('/') ? location : "./" + location;
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

// give_to_folder gives a file that root has made to whoever the folder belongs to: the service,
// which runs as a user of its own, could not open it otherwise.
bool give_to_folder(int file, int folder) {
  if (::geteuid() != 0) return true;
  struct stat status{};
  return ::fstat(folder, &status) == 0 && ::fchown(file, status.st_uid, status.st_gid) == 0;
}

// make_file makes an empty file of mode 0600, unless there is one. SQLite gives the mode and owner
// of the file to the files it puts beside it (-wal, -shm), also when root does it.
StoreResult<void> make_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return {};
  if (fd < 0 && errno == ENOENT) return unavailable(path, "its folder does not exist");
  if (fd < 0) return unavailable(path, std::string("cannot be made: ") + std::strerror(errno));
  const int folder = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = folder >= 0 && give_to_folder(fd, folder) && ::fsync(folder) == 0;
  const int error = errno;
  ::close(fd);
  if (folder >= 0) ::close(folder);
  if (!done) {
    return unavailable(path, std::string("its folder cannot be written: ") + std::strerror(error));
  }
  return {};
}

StoreResult<void> check_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return unavailable(path, std::strerror(errno));
    return fail_as(Error::Kind::not_found,
                   path + ": there is no store; make one with `flexctl init`");
  }
  if (!S_ISREG(status.st_mode)) return unavailable(path, "is not a file");
  return {};
}

// use_wal switches to the write-ahead log, which lets others read while one writes. The file keeps
// that setting. Only the switch needs the file for itself, and does not wait by busy_timeout.
StoreResult<void> use_wal(const Database& database) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyMs);
  while (true) {
    Statement statement(database, "PRAGMA journal_mode = WAL");
    const auto row = statement.step();
    if (row && *row && statement.text(0) == "wal") return {};
    if (row) return unavailable(database.path(), "its file system has no shared memory for WAL");
    const int code = sqlite3_errcode(database.get()) & 0xff;
    if (code != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline) {
      return fail(row.error());
    }
    std::this_thread::sleep_for(kJournalPoll);
  }
}

// configure sets what holds for this connection alone.
StoreResult<void> configure(const Database& database) {
  sqlite3* const handle = database.get();
  sqlite3_busy_timeout(handle, kBusyMs);
  // Nothing in a file that was tampered with may call functions or write to the schema.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // synchronous = FULL: a commit is on disk when it returns. NORMAL, usual with WAL, would survive
  // a killed process too, but a power cut could take back a key that was handed out, or a
  // revocation. secure_delete: a provider key that was replaced leaves no bytes behind.
  return database.run(
      "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; "
      "PRAGMA temp_store = MEMORY");
}

}  // namespace

SqliteStore::SqliteStore(Database database) : database_(std::move(database)) {
  // Both stop once the store is interrupted. sqlite3_interrupt would end the statement that runs
  // and not the wait for a lock, nor what begins a moment later.
  sqlite3_busy_handler(database_.get(), &SqliteStore::wait, this);
  sqlite3_progress_handler(database_.get(), kStepsPerLook, &SqliteStore::look_up, this);
}

int SqliteStore::wait(void* store, int count) {
  auto& self = *static_cast<SqliteStore*>(store);
  const auto now = std::chrono::steady_clock::now();
  if (count == 0) self.waits_since_ = now;
  const auto left = self.waits_since_ + std::chrono::milliseconds(self.wait_ms_) - now;
  if (left <= left.zero() || self.interrupted_) return 0;
  const auto step = std::chrono::milliseconds(1 << std::min(count, kLockPollBitsMax));
  std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(step, left));
  return 1;
}

int SqliteStore::look_up(void* store) {
  return static_cast<SqliteStore*>(store)->interrupted_ ? 1 : 0;
}

StoreResult<std::unique_ptr<Store>> open_store(const std::string& location, OpenMode mode) {
  const auto path = path_of(location);
  if (!path) return fail(path.error());
  if (mode == OpenMode::create) {
    if (auto done = make_file(*path); !done) return fail(std::move(done.error()));
  }
  if (auto done = check_file(*path); !done) return fail(std::move(done.error()));
  auto database = Database::open(*path);
  if (!database) return fail(std::move(database.error()));
  if (auto done = configure(*database); !done) return fail(std::move(done.error()));

  const auto state = schema_state(*database, migrations());
  if (!state) return fail(state.error());
  if (*state == SchemaState::empty && mode == OpenMode::existing) {
    return fail_as(Error::Kind::not_found,
                   *path + ": the file is empty; make a store with `flexctl init`");
  }
  if (sqlite3_db_readonly(database->get(), "main") != 0) {
    return unavailable(*path, "can only be read; check the owner and mode of the file");
  }
  if (auto done = use_wal(*database); !done) return fail(std::move(done.error()));
  if (*state != SchemaState::current) {
    if (auto done = migrate(*database, migrations()); !done) return fail(std::move(done.error()));
  }
  if (auto done = install_functions(*database); !done) return fail(std::move(done.error()));
  return std::make_unique<SqliteStore>(std::move(*database));
}

}  // namespace flexd::store
