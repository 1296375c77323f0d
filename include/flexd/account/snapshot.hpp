// snapshot.hpp: all keys and organizations as they stand at one moment.
//
// A Snapshot is immutable and read by every worker without locks. Off the workers a new one is
// built when something changed, and each worker is handed it; a request holds the one it began
// with. Looking a key up costs one probe sequence in an open-addressing table, whatever the number
// of keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/account/key.hpp"
#include "flexd/account/limits.hpp"
#include "flexd/crypto/secret.hpp"
#include "flexd/crypto/sha256.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/store/types.hpp"

namespace flexd::account {

// Organization is who pays: its limits and its keys at the providers.
struct Organization {
  store::Number number = 0;
  std::string id;
  std::string name;
  Rate requests;               // over the limit: 429
  uint32_t race_slots = 1000;  // races at one time; more start on standard at once
  store::Billing billing = store::Billing::ok;
  bool prepaid = false;
  uint64_t credit_nanos = 0;  // where prepaid: all that was ever added
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
  store::Number number = 0;
  crypto::Sha256Digest digest{};  // of the whole key
  std::string id;                 // for logs
  std::string name;
  uint32_t organization = 0;  // an index of the snapshot
  KeyKind kind = KeyKind::inference;
  bool deactivated = false;
  bool native_parameters = false;    // relaxes the rules for dialect parameters
  uint64_t expires_at_s = 0;         // Unix time; 0 is never
  std::string start_within;          // default for requests without one; empty is none
  std::vector<std::string> models;   // exact names and prefixes that end in '*'; empty is all
  uint32_t requests_per_minute = 0;  // 0: no ceiling
  std::optional<uint64_t> budget_requests;  // of a calendar month
  std::optional<uint64_t> budget_nanos;
  // cells are of a LimitArena that outlives the snapshot; nullptr for a key without ceiling and
  // budgets.
  KeyCells* cells = nullptr;
};

// ModelState is what the operator says of a model.
struct ModelState {
  std::string name;
  bool maintenance = false;
  uint32_t retry_after_s = 60;
};

class Snapshot {
 public:
  // A snapshot of these. Digests and models' names are distinct; organization indices are valid;
  // the cells of organizations, and of keys with a ceiling or a budget, are set.
  Snapshot(std::vector<Organization> organizations, std::vector<KeyRecord> keys,
           std::vector<ModelState> models = {});

  // lookup is the record of the key with this digest, or nullptr. The comparison of the digest
  // takes the same time wherever it differs.
  const KeyRecord* lookup(const crypto::Sha256Digest& digest) const;
  const Organization& organization(const KeyRecord& key) const {
    return organizations_[key.organization];
  }
  // model is the state of a model, or nullptr where nothing is said of it. models are all, by name.
  const ModelState* model(std::string_view name) const;
  std::span<const ModelState> models() const { return models_; }
  size_t key_count() const { return keys_.size(); }
  size_t organization_count() const { return organizations_.size(); }

 private:
  struct Slot {
    uint64_t hash = 0;   // the digest's first 8 bytes
    uint32_t index = 0;  // of keys_, plus one; 0 is free
  };

  std::vector<Organization> organizations_;
  std::vector<KeyRecord> keys_;
  std::vector<Slot> slots_;         // a power of two, at most half full
  std::vector<ModelState> models_;  // by name
};

using SnapshotPointer = std::shared_ptr<const Snapshot>;

// SnapshotDefaults is what holds where the store says nothing.
struct SnapshotDefaults {
  Rate requests;
  uint32_t race_slots = 1000;
};

// SnapshotBuilder makes snapshots of what a store holds. For one thread.
//
// This is where sealed provider keys are opened. One that cannot be opened (the master key's file
// is not there, it has another key, the sealed bytes were changed or moved to another owner) is
// absent from the snapshot, so that requests which need it are told so (no_byok_key and its like),
// and the log has one line `provider_key_unreadable` with organization, provider and cause. The
// line comes again only when the cause or the sealed bytes are others.
//
// The builder keeps the provider keys it has opened, by what they are bound to: after a rotation of
// the master key whose file this process cannot read anew, they go on to serve. One that is no
// longer stored is wiped at the next build.
class SnapshotBuilder {
 public:
  // The arena outlives the builder and every snapshot. The master keys are read from
  // `master_key_path` at each build that meets a provider key not yet opened, and kept no longer
  // than that, so that a rotation is noticed.
  SnapshotBuilder(LimitArena& arena, SnapshotDefaults defaults, std::string master_key_path);
  ~SnapshotBuilder();
  SnapshotBuilder(const SnapshotBuilder&) = delete;
  SnapshotBuilder& operator=(const SnapshotBuilder&) = delete;

  // build makes the snapshot. Revoked keys are not in it. The arena learns what the store knows to
  // be spent in `month`, which is store::month_of the time.
  SnapshotPointer build(const store::Contents& contents, int32_t month);

 private:
  class Opener;

  LimitArena& arena_;
  SnapshotDefaults defaults_;
  std::unique_ptr<Opener> opener_;
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

inline constexpr store::Number kDevNumber = 1;
// make_dev_snapshot makes organization and key `dev`, each of number kDevNumber. The arena outlives
// the snapshot.
SnapshotPointer make_dev_snapshot(const DevSettings& settings, LimitArena& arena);

}  // namespace flexd::account
