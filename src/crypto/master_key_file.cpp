// The file of a master key: read, written whole, and replaced in one step.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <utility>

#include "flexd/base/assert.hpp"
#include "flexd/crypto/bytes.hpp"
#include "flexd/crypto/seal.hpp"

namespace flexd::crypto {
namespace {

// A draft of a key file is called like it, with this and some digits behind.
constexpr std::string_view kDraftMark = ".new-";
constexpr size_t kDraftDigits = 12;

constexpr size_t kLineBytes = 2 * kMasterKeyBytes + 1;
constexpr auto kLockWait = std::chrono::seconds(10);
constexpr auto kLockPoll = std::chrono::milliseconds(20);

// Text is the text of a file, wiped when it goes.
struct Text {
  std::array<char, kMasterKeysMax * kLineBytes + 1> bytes{};
  size_t size = 0;

  Text() = default;
  ~Text() { wipe(bytes.data(), bytes.size()); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  void add_line(std::span<const uint8_t> key) {
    FLEXD_ASSERT(size + kLineBytes <= bytes.size());
    hex_encode(key, std::span(bytes).subspan(size, 2 * kMasterKeyBytes));
    bytes[size + kLineBytes - 1] = '\n';
    size += kLineBytes;
  }
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<Failure> fail_at(const std::string& path, const std::string& what) {
  return fail_with("master key file " + path + ": " + what);
}

std::unexpected<Failure> fail_by_errno(const std::string& path, const std::string& what) {
  const int error = errno;
  std::string hint;
  if (error == ENOENT) hint = ": make one with `flexctl init`, or name it by --master-key-file";
  return fail_at(path, what + ": " + std::strerror(error) + hint);
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> read_text(const std::string& path, Text& text) {
  // O_NONBLOCK: a FIFO is refused below rather than waited for.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return fail_by_errno(path, "cannot be opened");
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_by_errno(path, "cannot be read");
  if (!S_ISREG(status.st_mode)) return fail_at(path, "is not a regular file");
  if ((status.st_mode & 077U) != 0 && !is_credential(path)) {
    return fail_at(path, "is open to others than its owner: chmod 600 it");
  }
  while (text.size < text.bytes.size()) {
    const ssize_t count =
        ::read(file.get(), text.bytes.data() + text.size, text.bytes.size() - text.size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_by_errno(path, "cannot be read");
    if (count == 0) break;
    text.size += static_cast<size_t>(count);
  }
  return {};
}

Result<void> write_all(const std::string& path, int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_by_errno(path, "cannot be written");
    text.remove_prefix(static_cast<size_t>(count));
  }
  if (::fsync(fd) != 0) return fail_by_errno(path, "cannot be written to disk");
  return {};
}

// sync_folder puts the names in the folder of `path` on disk.
Result<void> sync_folder(const std::string& path) {
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) {
    return fail_by_errno(path, "its folder cannot be written to disk");
  }
  return {};
}

// remove_drafts takes away what a killed process left of a draft: a key in it would outlive its
// rotation. Whoever writes holds the lock (MasterKeyLock), so that nobody's draft is under way.
void remove_drafts(const std::string& path) {
  const std::string folder = folder_of(path);
  const std::string prefix = path.substr(path.rfind('/') + 1) + std::string(kDraftMark);
  DIR* const entries = ::opendir(folder.c_str());
  if (entries == nullptr) return;
  while (const dirent* const entry = ::readdir(entries)) {
    const std::string_view name(entry->d_name);
    if (name.size() == prefix.size() + kDraftDigits && name.starts_with(prefix)) {
      ::unlinkat(::dirfd(entries), entry->d_name, 0);
    }
  }
  ::closedir(entries);
}

// Draft is a new file beside `path` that has not got its name yet; removed unless it gets it.
class Draft {
 public:
  explicit Draft(const std::string& path) : path_(path), name_(path + std::string(kDraftMark)) {
    remove_drafts(path);
    std::array<uint8_t, kDraftDigits / 2> drawn{};
    random_bytes(drawn);
    std::array<char, kDraftDigits> digits{};
    hex_encode(drawn, digits);
    name_.append(digits.data(), digits.size());
  }
  ~Draft() {
    if (there_) ::unlink(name_.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  // write writes the file and its bytes to disk. `owner`, if any, is whose the file becomes.
  Result<void> write(const Text& text, const struct stat* owner) {
    const Descriptor file(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0) return fail_write("cannot be made");
    there_ = true;
    if (::fchmod(file.get(), 0600) != 0) return fail_by_errno(path_, "cannot be given mode 0600");
    // Root that rotates the service's key must not take it away from the service.
    if (owner != nullptr && (owner->st_uid != ::geteuid() || owner->st_gid != ::getegid()) &&
        ::fchown(file.get(), owner->st_uid, owner->st_gid) != 0) {
      return fail_by_errno(path_, "cannot be given to its owner");
    }
    return write_all(path_, file.get(), {text.bytes.data(), text.size});
  }

  Result<void> become_new() {
    // link, unlike rename, never replaces.
    if (::link(name_.c_str(), path_.c_str()) != 0) {
      return errno == EEXIST ? fail_taken() : fail_write("cannot be made");
    }
    return sync_folder(path_);
  }

  Result<void> replace() {
    if (::rename(name_.c_str(), path_.c_str()) != 0) return fail_write("cannot be replaced");
    there_ = false;
    return sync_folder(path_);
  }

 private:
  // fail_taken tells a symbolic link that leads nowhere, which looks like no file to whoever
  // follows it, from a file.
  std::unexpected<Failure> fail_taken() const {
    struct stat status{};
    if (::stat(path_.c_str(), &status) == 0) {
      return fail_at(path_, "is there already, and is left as it is");
    }
    return fail_at(path_, std::string("is a symbolic link that leads to no file (") +
                              std::strerror(errno) +
                              "): remove it, or name another path by "
                              "--master-key-file");
  }
  // Without the hint of fail_by_errno: here ENOENT is the folder's.
  std::unexpected<Failure> fail_write(const std::string& what) const {
    return fail_at(path_, what + ": " + std::strerror(errno));
  }

  const std::string& path_;
  std::string name_;
  bool there_ = false;
};

Result<std::vector<Secret>> read_keys(const std::string& path) {
  Text text;
  if (auto done = read_text(path, text); !done) return fail(std::move(done.error()));
  std::vector<Secret> keys;
  std::string_view rest(text.bytes.data(), text.size);
  while (!rest.empty()) {
    if (keys.size() == kMasterKeysMax) {
      return fail_at(path, "has more than " + std::to_string(kMasterKeysMax) + " lines");
    }
    const std::string_view line = rest.substr(0, rest.find('\n'));
    std::array<uint8_t, kMasterKeyBytes> key{};
    const bool right = hex_decode(line, key);
    if (right) keys.emplace_back(std::string_view(reinterpret_cast<char*>(key.data()), key.size()));
    wipe(key.data(), key.size());
    if (!right) {
      return fail_at(path, "line " + std::to_string(keys.size() + 1) + " is not 64 hex digits");
    }
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  if (keys.empty()) return fail_at(path, "is empty");
  return keys;
}

void add_fresh_line(Text& text) {
  std::array<uint8_t, kMasterKeyBytes> key{};
  random_bytes(key);
  text.add_line(key);
  wipe(key.data(), key.size());
}

void add_line(Text& text, const Secret& key) {
  text.add_line({reinterpret_cast<const uint8_t*>(key.reveal().data()), key.size()});
}

// resolve is where the file lies, behind symbolic links; empty, and errno set, where there is none.
std::string resolve(const std::string& path) {
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(path.c_str(), resolved.data()) == nullptr) return {};
  return resolved.data();
}

// replace_file puts `text` in the place of the file, through links to where it lies.
Result<void> replace_file(const std::string& path, const Text& text) {
  const std::string real = resolve(path);
  if (real.empty()) return fail_by_errno(path, "cannot be found");
  struct stat status{};
  if (::stat(real.c_str(), &status) != 0) return fail_by_errno(real, "cannot be read");
  Draft draft(real);
  if (auto done = draft.write(text, &status); !done) return done;
  return draft.replace();
}

}  // namespace

bool is_credential(const std::string& path) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0') return false;
  std::string_view wanted = folder;
  while (wanted.size() > 1 && wanted.ends_with('/')) wanted.remove_suffix(1);
  return folder_of(path) == wanted;
}

Result<MasterKeys> MasterKeys::read(const std::string& path) {
  auto keys = read_keys(path);
  if (!keys) return fail(std::move(keys.error()));
  MasterKeys result;
  result.keys_ = std::move(*keys);
  return result;
}

Result<void> create_master_key_file(const std::string& path) {
  Text text;
  add_fresh_line(text);
  // Made by root, it belongs to whoever the folder does, like the store: the service reads both.
  struct stat folder{};
  const bool by_root = ::geteuid() == 0 && ::stat(folder_of(path).c_str(), &folder) == 0;
  Draft draft(path);
  if (auto done = draft.write(text, by_root ? &folder : nullptr); !done) return done;
  return draft.become_new();
}

Result<void> add_master_key(const std::string& path) {
  auto keys = read_keys(path);
  if (!keys) return fail(std::move(keys.error()));
  if (keys->size() == kMasterKeysMax) {
    return fail_at(path, "has " + std::to_string(kMasterKeysMax) +
                             " keys, the most there can be: end the rotation that left them first");
  }
  Text text;
  add_fresh_line(text);
  for (const Secret& key : *keys) add_line(text, key);
  return replace_file(path, text);
}

Result<void> end_master_key_rotation(const std::string& path) {
  auto keys = read_keys(path);
  if (!keys) return fail(std::move(keys.error()));
  if (keys->size() == 1) return {};
  Text text;
  add_line(text, keys->front());
  return replace_file(path, text);
}

MasterKeyLock::MasterKeyLock(MasterKeyLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

MasterKeyLock::~MasterKeyLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<MasterKeyLock> MasterKeyLock::take(const std::string& path) {
  // The folder's, since the file itself is replaced by others while they hold the lock; and of
  // where it lies, so that whoever names it by a link takes the same. One that is not there yet is
  // made under its own name.
  const std::string real = resolve(path);
  const std::string folder = folder_of(real.empty() ? path : real);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_at(path, std::string("its folder: ") + std::strerror(errno));
  MasterKeyLock lock;
  lock.fd_ = fd;
  const auto deadline = std::chrono::steady_clock::now() + kLockWait;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail_by_errno(path, "cannot be locked");
    if (std::chrono::steady_clock::now() > deadline) {
      return fail_at(path, "another process changes keys: try again when it has ended");
    }
    std::this_thread::sleep_for(kLockPoll);
  }
  return lock;
}

}  // namespace flexd::crypto
