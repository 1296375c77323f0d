// Keys at providers, sealed.
#include "rules.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

constexpr int kForgetMs = 200;

std::string select_provider_keys(std::string_view rest) {
  return std::string(
             "SELECT organization, provider, secret_id, sealed, shown, created_at_s "
             "FROM provider_keys ")
      .append(rest);
}

StoreResult<std::vector<SealedProviderKey>> read_provider_keys(Statement& statement) {
  std::vector<SealedProviderKey> result;
  auto row = statement.step();
  for (; row && *row; row = statement.step()) {
    SealedProviderKey key;
    key.organization = statement.integer(0);
    key.provider = statement.text(1);
    key.secret_id = statement.text(2);
    key.sealed = statement.text(3);
    key.shown = statement.text(4);
    key.created_at_s = statement.integer(5);
    result.push_back(std::move(key));
  }
  if (!row) return fail(std::move(row.error()));
  return result;
}

}  // namespace

StoreResult<std::vector<SealedProviderKey>> SqliteStore::all_provider_keys() {
  Statement statement(database_, select_provider_keys("ORDER BY organization, provider"));
  return read_provider_keys(statement);
}

StoreResult<std::vector<SealedProviderKey>> SqliteStore::provider_keys(Number organization) {
  Statement statement(database_, select_provider_keys("WHERE organization = ? ORDER BY provider"));
  statement.bind(organization);
  return read_provider_keys(statement);
}

StoreResult<void> SqliteStore::set_provider_key(const SealedProviderKey& key) {
  if (auto done = check_provider_key(key); !done) return done;
  auto done = write([&]() -> StoreResult<void> {
    if (auto owner = organization(key.organization); !owner) return fail(std::move(owner.error()));
    Statement statement(
        database_,
        "INSERT INTO provider_keys (organization, provider, secret_id, sealed, shown, "
        "created_at_s) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "secret_id = excluded.secret_id, sealed = excluded.sealed, shown = excluded.shown, "
        "created_at_s = excluded.created_at_s");
    statement.bind(key.organization, std::string_view(key.provider),
                   std::string_view(key.secret_id), Blob{key.sealed}, std::string_view(key.shown),
                   now_s());
    return statement.run();
  });
  if (done) forget_old_pages();
  return done;
}

StoreResult<void> SqliteStore::remove_provider_key(Number number, std::string_view provider) {
  auto done = write([&]() -> StoreResult<void> {
    const auto owner = organization(number);
    if (!owner) return fail(owner.error());
    Statement statement(database_,
                        "DELETE FROM provider_keys WHERE organization = ? AND provider = ?");
    if (auto removed = statement.bind(number, provider).run(); !removed) return removed;
    if (database_.changes() == 0) {
      return fail_as(Error::Kind::not_found,
                     owner->name + " has no provider key for " + quoted(provider));
    }
    return {};
  });
  if (done) forget_old_pages();
  return done;
}

StoreResult<size_t> SqliteStore::reseal(const Seal& seal) {
  auto count = write([&]() -> StoreResult<size_t> {
    const auto keys = all_provider_keys();
    if (!keys) return fail(keys.error());
    Statement statement(
        database_, "UPDATE provider_keys SET sealed = ? WHERE organization = ? AND provider = ?");
    for (const SealedProviderKey& key : *keys) {
      const auto owner = organization(key.organization);
      if (!owner) return fail(owner.error());
      SealedProviderKey anew = key;
      auto sealed = seal(*owner, key);
      if (!sealed) return fail(std::move(sealed.error()));
      anew.sealed = std::move(*sealed);
      if (auto done = check_provider_key(anew); !done) return fail(std::move(done.error()));
      statement.bind(Blob{anew.sealed}, anew.organization, std::string_view(anew.provider));
      if (auto done = statement.run(); !done) return fail(std::move(done.error()));
    }
    return keys->size();
  });
  if (count) forget_old_pages();
  return count;
}

void SqliteStore::forget_old_pages() {
  // A reader that is at it keeps the log; not worth a wait, since a later checkpoint does it.
  const int wait_ms = std::exchange(wait_ms_, kForgetMs);
  discard(database_.number("PRAGMA wal_checkpoint(TRUNCATE)"), "best effort");
  wait_ms_ = wait_ms;
}

}  // namespace flexd::store
