// seal.hpp: secrets at rest: AES-256-GCM under a master key that lies in a file of its own.
//
// Sealed bytes are `version (1) | nonce (12) | ciphertext | tag (16)`, by NIST SP 800-38D; the
// nonce is drawn at random, which is safe for 2^32 seals under one key. The associated data is not
// stored: who opens must know what the secret belongs to, so that sealed bytes moved to another
// owner do not open.
//
// The file has one key a line as 64 hex digits, the newest first. Seals are made under the newest;
// older ones, if any, still open what a rotation has not yet sealed anew. It has mode 0600.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/result.hpp"
#include "flexd/crypto/secret.hpp"

namespace flexd::crypto {

inline constexpr size_t kMasterKeyBytes = 32;
// kMasterKeysMax bounds the keys of a file: a newest and those that rotations left.
inline constexpr size_t kMasterKeysMax = 8;

// is_credential tells a file of the service manager's, in $CREDENTIALS_DIRECTORY: a copy as of the
// start of the service, which nothing changes while it runs (systemd.exec(5), LoadCredential=,
// https://systemd.io/CREDENTIALS/).
bool is_credential(const std::string& path);

// MasterKeys are the keys of one file. Movable; the keys are wiped when it dies.
class MasterKeys {
 public:
  // read takes the keys of the file `path`. The failure names the path and what is wrong: absent,
  // unreadable, open to others than its owner (mode & 077; not of a credential, whose mode is the
  // service manager's), not 64 digits a line.
  static Result<MasterKeys> read(const std::string& path);

  // seal seals `secret` under the newest key, bound to `associated`.
  std::string seal(std::string_view secret, std::string_view associated) const;
  // open is the secret, or nullopt: another key, other associated data, or changed bytes.
  std::optional<Secret> open(std::string_view sealed, std::string_view associated) const;
  size_t count() const { return keys_.size(); }

 private:
  MasterKeys() = default;
  std::vector<Secret> keys_;  // raw bytes, newest first
};

// create_master_key_file draws a key and writes a new file of mode 0600, on disk when it returns.
// A file that is there already is a failure and is left alone.
Result<void> create_master_key_file(const std::string& path);
// add_master_key puts a fresh key before those of the file, end_master_key_rotation leaves the
// newest alone. Both replace the file in one step (rename), on disk when they return, so that a
// crash at any moment leaves a file that opens every seal. A symbolic link stays; what it leads to
// is replaced.
Result<void> add_master_key(const std::string& path);
Result<void> end_master_key_rotation(const std::string& path);

// MasterKeyLock keeps other processes that take it from sealing and rotating at the same time:
// what one seals under a key that another is about to end could never be opened again. A rotation
// holds it from before add_master_key until after end_master_key_rotation, and whoever seals and
// stores a secret from before MasterKeys::read until it is stored. Reading and opening need none.
// It is advisory (flock on the folder in which the file lies, behind symbolic links), and ends with
// the process that holds it.
class MasterKeyLock {
 public:
  // take waits up to ten seconds for another holder. `path` is the master key file's, which need
  // not be there yet. One process takes it once.
  static Result<MasterKeyLock> take(const std::string& path);
  MasterKeyLock(MasterKeyLock&& other) noexcept;
  MasterKeyLock& operator=(MasterKeyLock&&) = delete;
  ~MasterKeyLock();

 private:
  MasterKeyLock() = default;
  int fd_ = -1;
};

}  // namespace flexd::crypto
