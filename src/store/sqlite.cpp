#include "sqlite.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "flexd/base/assert.hpp"

namespace flexd::store {
namespace {

// hint says what to do about a failure, where that is known.
std::string_view hint(int primary) {
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process has held its lock for too long";
    case SQLITE_CORRUPT:
      return "the file is damaged; restore a backup";
    case SQLITE_NOTADB:
      return "the file is not a store";
    case SQLITE_READONLY:
      return "it can only be read; check the owner and mode of the file and its folder";
    case SQLITE_FULL:
      return "the disk is full";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "it cannot be opened; check the owner and mode of the file and its folder";
    default:
      return "";
  }
}

}  // namespace

StoreResult<Database> Database::open(const std::string& path) {
  const FileId file = file_at(path).value_or(FileId{});
  sqlite3* handle = nullptr;
  // NOMUTEX: an object of this interface is for one thread.
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  // There is a handle even after a failure, but when memory is out.
  Database database(path, file, handle);
  if (handle == nullptr) return fail_as(Error::Kind::unavailable, path + ": out of memory");
  if (code != SQLITE_OK) return fail(database.error(code));
  return database;
}

Database::~Database() {
  // Every statement is finalized by now; otherwise this is SQLITE_BUSY and would leak.
  FLEXD_ASSERT(sqlite3_close(handle_) == SQLITE_OK);
}

std::optional<Database::FileId> Database::file_at(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileId{status.st_dev, status.st_ino};
}

StoreResult<void> Database::check_place() const {
  const std::optional<FileId> here = file_at(path_);
  if (here == file_) return {};
  return fail_as(Error::Kind::unavailable,
                 path_ +
                     (here ? ": another file stands here than the store that was opened"
                           : ": the store that was opened is not here any more") +
                     "; to put one in its place, stop flexd first (see \"Backup\" in the README)");
}

StoreResult<void> Database::run(const char* sql) const {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return {};
}

StoreResult<int64_t> Database::number(const char* sql) const {
  Statement statement(*this, sql);
  const auto row = statement.step();
  if (!row) return fail(row.error());
  return *row ? statement.integer(0) : 0;
}

Error Database::error(int code) const {
  const int primary = code & 0xff;
  std::string text = path_ + ": ";
  const std::string_view advice = hint(primary);
  if (!advice.empty()) {
    text += advice;
    text += " (";
  }
  text += sqlite3_errmsg(handle_);
  if (const int system = sqlite3_system_errno(handle_);
      system != 0 && (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR)) {
    text += ": ";
    text += std::strerror(system);
  }
  if (!advice.empty()) text += ")";
  Error::Kind kind = Error::Kind::unavailable;
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
    kind = Error::Kind::exists;
  } else if (code == SQLITE_CONSTRAINT_FOREIGNKEY) {
    kind = Error::Kind::not_found;
  } else if (primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG ||
             primary == SQLITE_MISMATCH) {
    kind = Error::Kind::invalid;
  }
  return {kind, std::move(text)};
}

Statement::Statement(const Database& database, std::string_view sql) : database_(database) {
  // In a transaction it was asked.
  if (sqlite3_get_autocommit(database.get()) != 0) {
    if (auto placed = database.check_place(); !placed) {
      failure_ = std::move(placed.error());
      return;
    }
  }
  keep(sqlite3_prepare_v3(database.get(), sql.data(), static_cast<int>(sql.size()), 0, &handle_,
                          nullptr));
}

void Statement::bind_at(int index, std::string_view value) {
  // A null pointer would bind NULL instead of the empty text.
  const char* data = value.data() == nullptr ? "" : value.data();
  keep(sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind_at(int index, Blob value) {
  const char* data = value.bytes.data() == nullptr ? "" : value.bytes.data();
  keep(sqlite3_bind_blob64(handle_, index, data, value.bytes.size(), SQLITE_STATIC));
}

void Statement::bind_at(int index, std::nullptr_t) {
  keep(sqlite3_bind_null(handle_, index));
}

StoreResult<bool> Statement::step() {
  if (failure_) return fail(*failure_);
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(database_.error(code));
}

StoreResult<void> Statement::run() {
  auto more = step();
  while (more && *more) more = step();
  reset();
  if (!more) return fail(std::move(more.error()));
  return {};
}

void Statement::reset() {
  // The code is that of the last step, which has reported it.
  sqlite3_reset(handle_);
}

std::string_view Statement::text(int column) const {
  // column_blob gives the bytes of texts and blobs alike, as they are stored.
  const void* data = sqlite3_column_blob(handle_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), size);
}

StoreResult<Transaction> Transaction::begin(const Database& database, Mode mode) {
  if (auto placed = database.check_place(); !placed) return fail(std::move(placed.error()));
  if (auto done = database.run(mode == Mode::write ? "BEGIN IMMEDIATE" : "BEGIN"); !done) {
    return fail(std::move(done.error()));
  }
  return Transaction(database);
}

Transaction::~Transaction() {
  // Some failures (a full disk) have undone it already, and this one says so: nothing to do.
  if (database_ != nullptr) discard(database_->run("ROLLBACK"), "nothing more can be undone");
}

StoreResult<void> Transaction::commit() {
  // After a failure it is still open, and is undone when this object dies.
  if (auto done = database_->run("COMMIT"); !done) return done;
  database_ = nullptr;
  return {};
}

}  // namespace flexd::store
