// Another file in the place of the one that was opened: a backup that was moved over it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "place.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

bool remove_file(const std::string& path) {
  return ::unlink(path.c_str()) == 0 || errno == ENOENT;
}

}  // namespace

std::optional<FileId> file_id(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileId{status.st_dev, status.st_ino};
}

StoreResult<void> drop_stale_log(const Place& old) {
  // Two gateways that find the new file at the same time must not take each other's new log. The
  // number of the old log is not given to a new file while one of them has it open.
  const int folder = ::open(folder_of(old.log).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool done = folder >= 0 && ::flock(folder, LOCK_EX | LOCK_NB) == 0;
  if (done && file_id(old.log) == old.log_file) {
    const std::string index = old.log.substr(0, old.log.rfind('-')) + "-shm";
    done = remove_file(old.log) && remove_file(index);
  }
  const int error = errno;
  if (folder >= 0) ::close(folder);
  if (done) return {};
  return fail_as(Error::Kind::unavailable, old.log + ": belongs to the store that was replaced, " +
                                               "and cannot be removed: " + std::strerror(error));
}

StoreResult<bool> SqliteStore::follow() {
  const std::optional<FileId> here = file_id(place_.path);
  const int error = errno;
  if (database_.is_open() && here == place_.file) return false;
  // What was opened is not the store any more: what is written there would be lost. Nor may it stay
  // open beside the new one, since SQLite shares files and locks by names.
  if (database_.is_open()) {
    // Into the file that was taken away, wherever that is: it may be wanted once more.
    forget_old_pages();
    database_.close(fail_as(Error::Kind::unavailable,
                            place_.path + ": another file came to stand there, or none")
                        .error());
    known_.reset();
    own_ = {};
  }
  if (!here) {
    return fail_as(Error::Kind::unavailable, place_.path + ": " + std::strerror(error));
  }
  // The same file may come back, and then needs its log.
  if (*here != place_.file) {
    if (auto done = drop_stale_log(place_); !done) return fail(std::move(done.error()));
  }
  auto opened = open_database(place_.path, OpenMode::existing);
  if (!opened) return fail(std::move(opened.error()));
  database_ = std::move(opened->database);
  place_ = std::move(opened->place);
  attach();
  return true;
}

}  // namespace flexd::store
