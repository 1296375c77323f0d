#include "flexd/account/authenticate.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flexd::account {
namespace {

using errors::Code;
using errors::Dialect;
using errors::Provider;
using errors::Variant;

constexpr uint64_t kNowS = 1'790'000'000;

struct World {
  LimitArena arena;
  crypto::Secret key = generate_key(KeyKind::inference);
  SnapshotPointer snapshot;
  AuthFailures failures{2, 11};
  std::unique_ptr<metrics::Core> metrics = std::make_unique<metrics::Core>();

  explicit World(std::vector<KeyRecord> keys = {}) {
    if (keys.empty()) {
      DevSettings settings;
      settings.key = key.reveal();
      settings.openai_key = "sk-openai";
      settings.start_within = "00h-00m-30s";
      settings.requests = {1, 2};
      snapshot = make_dev_snapshot(settings, arena);
      return;
    }
    std::vector<Organization> organizations(1);
    organizations[0].cells = &arena.organization(1);
    snapshot = std::make_shared<const Snapshot>(std::move(organizations), std::move(keys));
  }

  Result<const KeyRecord*, errors::Error> with(const std::string& authorization,
                                               uint8_t ip_last = 1) {
    Caller caller;
    if (!authorization.empty()) caller.credentials.authorization = authorization;
    caller.ip[15] = 0;
    caller.ip[0] = ip_last;
    return authenticate(caller, *snapshot, failures, {1'000'000'000, kNowS}, metrics.get());
  }
};

std::string bearer(const crypto::Secret& key) {
  return "Bearer " + std::string(key.reveal());
}

KeyRecord record_of(const crypto::Secret& key) {
  KeyRecord record;
  record.digest = key_digest(key.reveal());
  record.kind = key_kind(key.reveal()).value();
  return record;
}

TEST_CASE("the dev key opens the dev organization with its provider keys") {
  World world;
  const auto key = world.with(bearer(world.key));
  REQUIRE(key.has_value());
  CHECK((*key)->start_within == "00h-00m-30s");
  const Organization& organization = world.snapshot->organization(**key);
  CHECK(organization.name == "dev");
  CHECK(organization.provider_key(Provider::openai).reveal() == "sk-openai");
  CHECK(organization.provider_key(Provider::gemini).empty());
  CHECK(organization.provider_key(Provider::anthropic).empty());
}

TEST_CASE("nothing or nonsense in Authorization is missing_api_key and never a failure") {
  World world;
  for (int i = 0; i < 10; ++i) {
    CHECK(world.with("").error().code == Code::missing_api_key);
    CHECK(world.with("Basic x").error().code == Code::missing_api_key);
  }
  CHECK(world.metrics->value(metrics::Counter::auth_failures,
                             metrics::at(metrics::AuthFailure::missing)) == 20);
  CHECK(world.with("Bearer nonsense").error().code == Code::invalid_api_key);
}

TEST_CASE("wrong keys run into the flood limit of their address; a right one does not") {
  World world;
  const crypto::Secret stranger = generate_key(KeyKind::inference);
  CHECK(world.with("Bearer nonsense").error().code == Code::invalid_api_key);
  CHECK(world.with(bearer(stranger)).error().code == Code::invalid_api_key);
  const errors::Error flood = world.with(bearer(stranger)).error();
  CHECK(flood.code == Code::rate_limit_exceeded);
  CHECK(flood.variant == Variant::failed_authentications);
  CHECK(world.with(bearer(world.key)).has_value());
  CHECK(world.with("").error().code == Code::missing_api_key);
  CHECK(world.with(bearer(stranger), 2).error().code == Code::invalid_api_key);
  CHECK(world.metrics->value(metrics::Counter::limited,
                             metrics::at(metrics::Limit::failed_authentications)) == 1);
}

TEST_CASE("management, expired and deactivated keys are told apart, in this order") {
  const crypto::Secret management = generate_key(KeyKind::management);
  const crypto::Secret expired = generate_key(KeyKind::inference);
  const crypto::Secret deactivated = generate_key(KeyKind::inference);
  const crypto::Secret fresh = generate_key(KeyKind::inference);
  std::vector<KeyRecord> keys = {record_of(management), record_of(expired), record_of(deactivated),
                                 record_of(fresh)};
  keys[0].expires_at_s = 1;
  keys[1].expires_at_s = kNowS;
  keys[1].deactivated = true;
  keys[2].deactivated = true;
  keys[3].expires_at_s = kNowS + 1;
  World world(std::move(keys));
  for (int i = 0; i < 5; ++i) {
    CHECK(world.with(bearer(management)).error().code == Code::wrong_key_type);
    CHECK(world.with(bearer(expired)).error().code == Code::expired_api_key);
    CHECK(world.with(bearer(deactivated)).error().code == Code::key_deactivated);
    CHECK(world.with(bearer(fresh)).has_value());
  }
}

TEST_CASE("a key is good to the second before it expires, and none of these count as failures") {
  const crypto::Secret secret = generate_key(KeyKind::inference);
  std::vector<KeyRecord> keys = {record_of(secret)};
  keys[0].expires_at_s = kNowS + 1;
  World world(std::move(keys));
  Caller caller;
  const std::string header = bearer(secret);
  caller.credentials.authorization = header;
  const auto at = [&](uint64_t unix_s) {
    return authenticate(caller, *world.snapshot, world.failures, {1'000'000'000, unix_s},
                        world.metrics.get());
  };
  CHECK(at(kNowS).has_value());
  for (int i = 0; i < 10; ++i) CHECK(at(kNowS + 1).error().code == Code::expired_api_key);
  CHECK(at(UINT64_MAX).error().code == Code::expired_api_key);
  CHECK(world.metrics->value(metrics::Counter::auth_failures,
                             metrics::at(metrics::AuthFailure::expired)) == 11);
  CHECK(world.with("Bearer nonsense").error().code == Code::invalid_api_key);
}

TEST_CASE("a revoked key is one that nobody holds, but not for who has the snapshot before") {
  World world;
  const crypto::Secret secret = generate_key(KeyKind::inference);
  store::Contents contents;
  contents.organizations.resize(1);
  contents.organizations[0].number = 1;
  contents.keys.resize(1);
  contents.keys[0].number = 1;
  contents.keys[0].organization = 1;
  contents.keys[0].digest = key_digest(secret.reveal());
  contents.keys[0].deactivated = true;
  SnapshotBuilder builder(world.arena, {}, "/nonexistent");
  world.snapshot = builder.build(contents, 0);
  CHECK(world.with(bearer(secret)).error().code == Code::key_deactivated);
  contents.keys[0].deactivated = false;
  world.snapshot = builder.build(contents, 0);
  const SnapshotPointer before = world.snapshot;
  const auto key = world.with(bearer(secret));
  REQUIRE(key.has_value());

  contents.keys[0].revoked_at_s = 1;
  world.snapshot = builder.build(contents, 0);
  const errors::Error error = world.with(bearer(secret)).error();
  CHECK(error.code == Code::invalid_api_key);
  CHECK(error.variant == Variant::none);
  CHECK((*key)->number == 1);
  CHECK(before->lookup(key_digest(secret.reveal())) == *key);
  // It counts as a failure like any other: the third is over the limit of two.
  CHECK(world.with(bearer(secret)).error().code == Code::invalid_api_key);
  CHECK(world.with(bearer(secret)).error().code == Code::rate_limit_exceeded);
}

TEST_CASE("an organization is held to its rate") {
  World world;
  const auto key = world.with(bearer(world.key));
  const Organization& organization = world.snapshot->organization(*key.value());
  CHECK(admit(organization, 1'000'000'000, world.metrics.get()).has_value());
  CHECK(admit(organization, 1'000'000'000, world.metrics.get()).has_value());
  const auto over = admit(organization, 1'000'000'000, world.metrics.get());
  REQUIRE_FALSE(over.has_value());
  CHECK(over.error().code == Code::rate_limit_exceeded);
  CHECK(over.error().variant == Variant::none);
  CHECK(errors::Headers(over.error(), 0).find("retry-after") == "5");
}

TEST_CASE("each of 100,000 keys is found, and none that is not there") {
  constexpr uint32_t kCount = 100'000;
  LimitArena arena;
  std::vector<Organization> organizations(10);
  for (size_t i = 0; i < organizations.size(); ++i) {
    organizations[i].cells = &arena.organization(static_cast<store::Number>(i + 1));
  }
  std::vector<KeyRecord> keys(kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    keys[i].digest = key_digest(std::to_string(i));
    keys[i].organization = i % 10;
  }
  const Snapshot snapshot(std::move(organizations), std::move(keys));
  CHECK(snapshot.key_count() == kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    const KeyRecord* key = snapshot.lookup(key_digest(std::to_string(i)));
    REQUIRE(key != nullptr);
    REQUIRE(&snapshot.organization(*key) -
                &snapshot.organization(*snapshot.lookup(key_digest("0"))) ==
            i % 10);
  }
  for (uint32_t i = kCount; i < 2 * kCount; ++i) {
    REQUIRE(snapshot.lookup(key_digest(std::to_string(i))) == nullptr);
  }
}

TEST_CASE("keys whose digests begin alike are told apart by the rest") {
  LimitArena arena;
  std::vector<Organization> organizations(1);
  organizations[0].cells = &arena.organization(1);
  std::vector<KeyRecord> keys(50);
  for (size_t i = 0; i < keys.size(); ++i) keys[i].digest[31] = static_cast<uint8_t>(i);
  const Snapshot snapshot(std::move(organizations), std::move(keys));
  crypto::Sha256Digest digest{};
  for (uint8_t i = 0; i < 60; ++i) {
    digest[31] = i;
    const KeyRecord* key = snapshot.lookup(digest);
    REQUIRE((key != nullptr) == (i < 50));
    if (key != nullptr) CHECK(key->digest == digest);
  }
  CHECK(Snapshot({}, {}).lookup(digest) == nullptr);
}

}  // namespace
}  // namespace flexd::account
