#include "flexd/account/snapshot.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "flexd/base/assert.hpp"
#include "flexd/crypto/bytes.hpp"

namespace flexd::account {
namespace {

uint64_t hash_of(const crypto::Sha256Digest& digest) {
  uint64_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

// make_authorizations puts each provider key into the form its provider's field wants.
void make_authorizations(Organization& organization) {
  for (size_t i = 0; i < errors::kProviderCount; ++i) {
    const crypto::Secret& key = organization.provider_keys[i];
    if (key.empty()) continue;
    if (static_cast<errors::Provider>(i) != errors::Provider::openai) {
      organization.authorizations[i] = key.clone();
      continue;
    }
    std::string bearer = "Bearer ";
    bearer += key.reveal();
    organization.authorizations[i] = crypto::Secret(bearer);
    crypto::wipe(bearer.data(), bearer.size());
  }
}

bool has_limits(const KeyRecord& key) {
  return key.requests_per_minute != 0 || key.budget_requests || key.budget_nanos;
}

}  // namespace

Snapshot::Snapshot(std::vector<Organization> organizations, std::vector<KeyRecord> keys,
                   std::vector<ModelState> models)
    : organizations_(std::move(organizations)),
      keys_(std::move(keys)),
      slots_(std::bit_ceil(2 * keys_.size() + 1)),
      models_(std::move(models)) {
  std::ranges::sort(models_, {}, &ModelState::name);
  for (Organization& organization : organizations_) {
    FLEXD_ASSERT(organization.cells);
    make_authorizations(organization);
  }
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < keys_.size(); ++i) {
    const KeyRecord& key = keys_[i];
    FLEXD_ASSERT(key.organization < organizations_.size());
    FLEXD_ASSERT(key.cells || !has_limits(key));
    const uint64_t hash = hash_of(key.digest);
    size_t at = hash & mask;
    while (slots_[at].index != 0) at = (at + 1) & mask;
    slots_[at] = {hash, static_cast<uint32_t>(i + 1)};
  }
}

const KeyRecord* Snapshot::lookup(const crypto::Sha256Digest& digest) const {
  // Where probing stops tells at most something of the digest's first 8 bytes, and no one can
  // choose a key by its digest.
  const uint64_t hash = hash_of(digest);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].index != 0; at = (at + 1) & mask) {
    if (slots_[at].hash != hash) continue;
    const KeyRecord& key = keys_[slots_[at].index - 1];
    if (crypto::constant_time_equal(key.digest, digest)) return &key;
  }
  return nullptr;
}

const ModelState* Snapshot::model(std::string_view name) const {
  const auto place = std::ranges::lower_bound(models_, name, {}, &ModelState::name);
  return place != models_.end() && place->name == name ? &*place : nullptr;
}

SnapshotPointer make_dev_snapshot(const DevSettings& settings, LimitArena& arena) {
  FLEXD_ASSERT(key_kind(settings.key) == KeyKind::inference);
  std::vector<Organization> organizations(1);
  Organization& organization = organizations.front();
  organization.number = kDevNumber;
  organization.id = "dev";
  organization.name = "dev";
  organization.requests = settings.requests;
  organization.race_slots = settings.race_slots;
  organization.provider_keys[static_cast<size_t>(errors::Provider::openai)] =
      crypto::Secret(settings.openai_key);
  organization.provider_keys[static_cast<size_t>(errors::Provider::gemini)] =
      crypto::Secret(settings.gemini_key);
  organization.provider_keys[static_cast<size_t>(errors::Provider::anthropic)] =
      crypto::Secret(settings.anthropic_key);
  organization.cells = &arena.organization(kDevNumber);

  std::vector<KeyRecord> keys(1);
  keys.front().number = kDevNumber;
  keys.front().digest = key_digest(settings.key);
  keys.front().id = "dev";
  keys.front().name = "dev";
  keys.front().start_within = settings.start_within;
  return std::make_shared<const Snapshot>(std::move(organizations), std::move(keys));
}

}  // namespace flexd::account
