#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flexd/account/snapshot.hpp"
#include "flexd/base/log.hpp"
#include "flexd/crypto/seal.hpp"

namespace flexd::account {
namespace {

// The store's numbers are signed; what is below 0 cannot come from it, and counts as 0.
uint64_t from_signed(int64_t number) {
  return static_cast<uint64_t>(std::max<int64_t>(number, 0));
}
std::optional<uint64_t> from_signed(std::optional<int64_t> number) {
  return number ? std::optional(from_signed(*number)) : std::nullopt;
}

std::optional<errors::Provider> provider_from(std::string_view word) {
  for (size_t i = 0; i < errors::kProviderCount; ++i) {
    const auto provider = static_cast<errors::Provider>(i);
    if (errors::provider_word(provider) == word) return provider;
  }
  return std::nullopt;
}

// is_header_text: the bytes can stand in a header field (RFC 9110 section 5.5). A stored key that
// cannot must not reach the wire.
bool is_header_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

KeyRecord record_of(const store::Key& key, uint32_t organization, int32_t month,
                    LimitArena& arena) {
  KeyRecord record;
  record.number = key.number;
  record.digest = key.digest;
  record.id = key.id;
  record.name = key.name;
  record.organization = organization;
  record.kind = key.management ? KeyKind::management : KeyKind::inference;
  record.deactivated = key.deactivated;
  record.native_parameters = key.native_parameters;
  // A time before 1970 is over, where 0 would be never.
  record.expires_at_s = key.expires_at_s < 0 ? 1 : from_signed(key.expires_at_s);
  record.start_within = key.start_within;
  record.models = key.models;
  record.requests_per_minute = key.requests_per_minute;
  record.budget_requests = from_signed(key.budget_requests);
  record.budget_nanos = from_signed(key.budget_nanos);
  if (record.requests_per_minute == 0 && !record.budget_requests && !record.budget_nanos) {
    return record;
  }
  record.cells = &arena.key(key.number);
  arena.learn({.key = key.number,
               .month = key.month,
               .requests = key.month_requests,
               .nanos = key.month_nanos},
              month);
  return record;
}

Organization organization_of(const store::Organization& stored, const SnapshotDefaults& defaults,
                             LimitArena& arena) {
  Organization organization;
  organization.number = stored.number;
  organization.id = stored.id;
  organization.name = stored.name;
  organization.requests = defaults.requests;
  if (stored.requests_per_second) {
    organization.requests = {*stored.requests_per_second, *stored.requests_per_second};
  }
  organization.race_slots = stored.race_slots.value_or(defaults.race_slots);
  organization.billing = stored.billing;
  organization.prepaid = stored.credit_nanos.has_value();
  organization.credit_nanos = from_signed(stored.credit_nanos.value_or(0));
  organization.cells = &arena.organization(stored.number);
  arena.learn({.organization = stored.number, .spent_nanos = stored.spent_nanos});
  return organization;
}

}  // namespace

// Opener opens provider keys. `begin` and `end` enclose the keys of one build.
class SnapshotBuilder::Opener {
 public:
  explicit Opener(std::string path) : path_(std::move(path)) {}

  void begin();
  // open is the provider key in the clear, or an empty secret, which has been logged.
  crypto::Secret open(const store::SealedProviderKey& key, const Organization& organization);
  void end();

 private:
  // Known is what became of one provider key.
  struct Known {
    crypto::Secret secret;  // empty: it could not be opened
    std::string sealed;     // the bytes that could not be opened, and why
    std::string cause;
    uint64_t seen_in = 0;  // the last build that met it
  };

  // try_open is the secret, or why there is none.
  Result<crypto::Secret> try_open(const store::SealedProviderKey& key, const std::string& bound_to);

  std::string path_;
  std::unordered_map<std::string, Known> known_;  // by associated data
  std::optional<Result<crypto::MasterKeys>> master_keys_;
  uint64_t build_ = 0;
};

void SnapshotBuilder::Opener::begin() {
  ++build_;
}

void SnapshotBuilder::Opener::end() {
  master_keys_.reset();
  std::erase_if(known_, [this](const auto& entry) { return entry.second.seen_in != build_; });
}

Result<crypto::Secret> SnapshotBuilder::Opener::try_open(const store::SealedProviderKey& key,
                                                         const std::string& bound_to) {
  if (!master_keys_) master_keys_ = crypto::MasterKeys::read(path_);
  if (!*master_keys_) return fail(master_keys_->error());
  std::optional<crypto::Secret> secret = (*master_keys_)->open(key.sealed, bound_to);
  if (!secret) {
    return fail_with(
        std::string("it was sealed under another master key or for another owner, or is damaged") +
        (crypto::is_credential(path_) ? "; if the master key was rotated, restart flexd, which has "
                                        "the service manager's copy of the one before"
                                      : ""));
  }
  if (secret->empty() || !is_header_text(secret->reveal())) {
    return fail_with("it is empty or holds bytes that cannot stand in a header field");
  }
  return std::move(*secret);
}

crypto::Secret SnapshotBuilder::Opener::open(const store::SealedProviderKey& key,
                                             const Organization& organization) {
  // What a secret is bound to tells it apart from every other, also from one of the same secret id
  // that somebody moved to another organization.
  const std::string bound_to = store::associated_data(organization.id, key.provider, key.secret_id);
  Known& known = known_[bound_to];
  known.seen_in = build_;
  if (!known.secret.empty()) return known.secret.clone();
  Result<crypto::Secret> opened = try_open(key, bound_to);
  if (opened) {
    known.secret = std::move(*opened);
    known.sealed.clear();
    known.cause.clear();
    return known.secret.clone();
  }
  if (known.cause != opened.error().message || known.sealed != key.sealed) {
    known.cause = opened.error().message;
    known.sealed = key.sealed;
    log_line(LogLevel::warn, "provider_key_unreadable",
             {{"organization", organization.id},
              {"name", organization.name},
              {"provider", key.provider},
              {"cause", known.cause}});
  }
  return {};
}

SnapshotBuilder::SnapshotBuilder(LimitArena& arena, SnapshotDefaults defaults,
                                 std::string master_key_path)
    : arena_(arena),
      defaults_(defaults),
      opener_(std::make_unique<Opener>(std::move(master_key_path))) {}

SnapshotBuilder::~SnapshotBuilder() = default;

SnapshotPointer SnapshotBuilder::build(const store::Contents& contents, int32_t month) {
  std::unordered_map<store::Number, uint32_t> places;
  std::vector<Organization> organizations;
  organizations.reserve(contents.organizations.size());
  for (const store::Organization& stored : contents.organizations) {
    places.emplace(stored.number, static_cast<uint32_t>(organizations.size()));
    organizations.push_back(organization_of(stored, defaults_, arena_));
  }

  opener_->begin();
  for (const store::SealedProviderKey& key : contents.provider_keys) {
    const auto place = places.find(key.organization);
    const std::optional<errors::Provider> provider = provider_from(key.provider);
    if (place == places.end() || !provider) continue;
    Organization& organization = organizations[place->second];
    organization.provider_keys[static_cast<size_t>(*provider)] = opener_->open(key, organization);
  }
  opener_->end();

  std::vector<KeyRecord> keys;
  keys.reserve(contents.keys.size());
  for (const store::Key& key : contents.keys) {
    const auto place = places.find(key.organization);
    if (key.revoked_at_s != 0 || place == places.end()) continue;
    keys.push_back(record_of(key, place->second, month, arena_));
  }

  std::vector<ModelState> models;
  models.reserve(contents.models.size());
  for (const store::Model& model : contents.models) {
    models.push_back({model.name, model.maintenance, model.retry_after_s});
  }
  return std::make_shared<const Snapshot>(std::move(organizations), std::move(keys),
                                          std::move(models));
}

}  // namespace flexd::account
