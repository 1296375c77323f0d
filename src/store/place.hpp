// place.hpp: where a SQLite store lies, and what was found there. Private.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "sqlite.hpp"

namespace flexd::store {

// FileId tells a file from every other that is there at the same time, whatever it is called.
struct FileId {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const FileId&) const = default;
};
// file_id is the file at `path`, through links; nullopt and errno where none can be found.
std::optional<FileId> file_id(const std::string& path);

// Place is where a database lies and the files that it was opened with.
struct Place {
  std::string path;
  FileId file;      // looked up before it was opened: a newer one shows as a difference
  std::string log;  // the path of its write-ahead log
  FileId log_file;
};

struct Opened {
  Database database;
  Place place;
};

// open_database opens the store at `path` and brings its schema up to date.
StoreResult<Opened> open_database(const std::string& path, OpenMode mode);

// drop_stale_log removes the log of `old`, whose file was replaced, from beside the new one, unless
// the new one has got a log of its own by now. SQLite goes by names: it would play the old log into
// the new database (https://www.sqlite.org/howtocorrupt.html, section 1.4).
StoreResult<void> drop_stale_log(const Place& old);

}  // namespace flexd::store
