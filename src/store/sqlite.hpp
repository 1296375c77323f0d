// sqlite.hpp: SQLite with owners and results: a connection, a statement, a transaction. Private.
//
// Nothing here throws. A Statement keeps its first failure, also that of a bind, and reports it at
// the next step, so that only steps need to be looked at.
#pragma once

#include <sqlite3.h>
#include <sys/types.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "flexd/store/store.hpp"

namespace flexd::store {

// fail_as makes the error side of a StoreResult.
[[nodiscard]] inline std::unexpected<Error> fail_as(Error::Kind kind, std::string message) {
  return std::unexpected<Error>(Error{kind, std::move(message)});
}

// Blob marks bytes that are not text.
struct Blob {
  std::string_view bytes;
};

class Database {
 public:
  // A connection to the file `path`, which must exist. `path` is also what errors name.
  static StoreResult<Database> open(const std::string& path);
  Database(Database&& other) noexcept
      : path_(std::move(other.path_)),
        file_(other.file_),
        handle_(std::exchange(other.handle_, nullptr)) {}
  Database& operator=(Database&&) = delete;
  ~Database();

  // check_place fails where another file than the one that was opened has come to stand, or none.
  // SQLite would go on with the first, where nobody finds what is written. Statements and
  // transactions ask before they begin. The same file may come back.
  StoreResult<void> check_place() const;
  sqlite3* get() const { return handle_; }
  const std::string& path() const { return path_; }
  // run runs statements without results or parameters.
  StoreResult<void> run(const char* sql) const;
  // number is the integer that a query without parameters gives.
  StoreResult<int64_t> number(const char* sql) const;
  // changes is how many rows the last INSERT, UPDATE or DELETE touched.
  int64_t changes() const { return sqlite3_changes64(handle_); }
  // error is the last failure in words, with the path. Its kind follows from `code`.
  Error error(int code) const;

 private:
  // FileId tells a file from every other that is there at the same time, whatever it is called.
  struct FileId {
    dev_t device = 0;
    ino_t number = 0;
    bool operator==(const FileId&) const = default;
  };

  Database(std::string path, FileId file, sqlite3* handle)
      : path_(std::move(path)), file_(file), handle_(handle) {}
  static std::optional<FileId> file_at(const std::string& path);

  std::string path_;
  FileId file_;  // looked up before it was opened: a newer one shows as a difference
  sqlite3* handle_ = nullptr;
};

// Statement is a prepared statement. Texts that are bound must live until the last step.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // bind sets the parameters from the first on.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    int index = 0;
    (bind_at(++index, values), ...);
    return *this;
  }
  // bind_at sets one parameter; the first is 1.
  void bind_at(int index, std::string_view value);
  void bind_at(int index, Blob value);
  void bind_at(int index, std::nullptr_t);
  void bind_at(int index, std::integral auto value) {
    keep(sqlite3_bind_int64(handle_, index, static_cast<int64_t>(value)));
  }
  template <typename T>
  void bind_at(int index, const std::optional<T>& value) {
    if (value) {
      bind_at(index, *value);
    } else {
      bind_at(index, nullptr);
    }
  }

  // step goes to the next row; false: there is none.
  StoreResult<bool> step();
  // run steps to the end and makes the statement ready for other values.
  StoreResult<void> run();
  // reset makes it ready to be run again.
  void reset();

  // Columns of the row that step reached, counted from 0. Views live until the next step.
  int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  std::string_view text(int column) const;
  bool is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  std::optional<int64_t> maybe_integer(int column) const {
    return is_null(column) ? std::nullopt : std::optional(integer(column));
  }
  std::optional<uint32_t> maybe_count(int column) const {
    return is_null(column) ? std::nullopt : std::optional(static_cast<uint32_t>(integer(column)));
  }

 private:
  void keep(int code) {
    if (code != SQLITE_OK && !failure_) failure_ = database_.error(code);
  }

  const Database& database_;
  sqlite3_stmt* handle_ = nullptr;
  std::optional<Error> failure_;
};

// Transaction is undone when it dies without a commit.
class Transaction {
 public:
  // `write` takes the write lock at once, so that what is read in it stays true until the commit;
  // `read` is one moment of the whole database.
  enum class Mode : uint8_t { read, write };
  static StoreResult<Transaction> begin(const Database& database, Mode mode);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  StoreResult<void> commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}

  const Database* database_;
};

}  // namespace flexd::store
