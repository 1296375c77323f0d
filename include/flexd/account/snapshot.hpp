// snapshot.hpp: all keys and organizations as they stand at one moment.
//
// A Snapshot is immutable and read by every worker without locks. The control thread builds a new
// one when something changed and hands it to each worker; a request holds the one it began with.
// Looking a key up costs one probe sequence in an open-addressing table, whatever the number of
// keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/account/key.hpp"
#include "flexd/account/limits.hpp"
#include "flexd/base/result.hpp"
#include "flexd/crypto/secret.hpp"
#include "flexd/crypto/sha256.hpp"
#include "flexd/errors/dialect.hpp"

namespace flexd::account {

// Organization is who pays: its limits and its keys at the providers.
struct Organization {
  std::string id;
  std::string name;
  Rate requests;               // over the limit: 429
  uint32_t race_slots = 1000;  // races at one time; more start on standard at once
  // provider_keys by errors::Provider; empty where none is stored or it could not be unsealed.
  std::array<crypto::Secret, errors::kProviderCount> provider_keys;
  OrganizationCells* cells = nullptr;  // of a LimitArena that outlives the snapshot; never null

  // authorizations by errors::Provider: what the provider's authentication field says, made from
  // the key by Snapshot, so that no request has to put a secret together.
  std::array<crypto::Secret, errors::kProviderCount> authorizations;

  const crypto::Secret& provider_key(errors::Provider provider) const {
    return provider_keys[static_cast<size_t>(provider)];
  }
  std::string_view authorization(errors::Provider provider) const {
    return authorizations[static_cast<size_t>(provider)].reveal();
  }
};

// KeyRecord is one API key. The key itself is nowhere.
struct KeyRecord {
  crypto::Sha256Digest digest{};  // of the whole key
  std::string id;                 // for logs
  std::string name;
  uint32_t organization = 0;  // an index of the snapshot
  KeyKind kind = KeyKind::inference;
  bool deactivated = false;
  bool native_parameters = false;  // relaxes the rules for dialect parameters
  uint64_t expires_at_s = 0;       // Unix time; 0 is never
  std::string start_within;        // default for requests without one; empty is none
};

class Snapshot {
 public:
  // A snapshot of these. Digests are distinct; organization indices are valid; cells are set.
  Snapshot(std::vector<Organization> organizations, std::vector<KeyRecord> keys);

  // lookup is the record of the key with this digest, or nullptr. The comparison of the digest
  // takes the same time wherever it differs.
  const KeyRecord* lookup(const crypto::Sha256Digest& digest) const;
  const Organization& organization(const KeyRecord& key) const {
    return organizations_[key.organization];
  }
  size_t key_count() const { return keys_.size(); }
  size_t organization_count() const { return organizations_.size(); }

 private:
  struct Slot {
    uint64_t hash = 0;   // the digest's first 8 bytes
    uint32_t index = 0;  // of keys_, plus one; 0 is free
  };

  std::vector<Organization> organizations_;
  std::vector<KeyRecord> keys_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

using SnapshotPointer = std::shared_ptr<const Snapshot>;

// Keyring is where snapshots come from: the embedded store, or memory for a first look. For the
// control thread.
class Keyring {
 public:
  virtual ~Keyring() = default;
  // version changes whenever `load` would give something else.
  virtual uint64_t version() = 0;
  // load builds a snapshot of what is stored now.
  virtual Result<SnapshotPointer> load() = 0;
};

// DevSettings is the one organization and the one key of a gateway without a store.
struct DevSettings {
  std::string_view key;  // a whole inference key
  std::string_view openai_key;
  std::string_view gemini_key;
  std::string_view anthropic_key;
  std::string_view start_within;  // the key's default, empty for none
  Rate requests;
  uint32_t race_slots = 1000;
};

// make_dev_snapshot makes organization and key `dev`. The arena outlives the snapshot.
SnapshotPointer make_dev_snapshot(const DevSettings& settings, LimitArena& arena);

}  // namespace flexd::account
