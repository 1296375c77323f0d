// Keys of callers.
#include <cstring>

#include "flexd/store/bounds.hpp"
#include "rules.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

// select_keys is a query for keys with the rest of its text, select_patterns one for their models.
std::string select_keys(std::string_view rest) {
  return std::string(
             "SELECT number, id, organization, name, management, digest, shown, created_at_s, "
             "expires_at_s, revoked_at_s, deactivated, native_parameters, start_within, "
             "requests_per_minute, budget_requests, budget_nanos, coalesce(last_used_at_s, 0), "
             "coalesce(month, 0), coalesce(requests, 0), coalesce(nanos, 0) "
             "FROM keys LEFT JOIN key_use ON key = number ")
      .append(rest);
}

std::string select_patterns(std::string_view rest) {
  return std::string("SELECT key, pattern FROM key_models ").append(rest);
}

std::unexpected<Error> full(std::string_view of, std::string message) {
  return fail(Error{Error::Kind::full, std::move(message), of});
}

Blob blob_of(const crypto::Sha256Digest& digest) {
  return {{reinterpret_cast<const char*>(digest.data()), digest.size()}};
}

StoreResult<Key> key_of(const Statement& row) {
  Key key;
  key.number = row.integer(0);
  key.id = row.text(1);
  key.organization = row.integer(2);
  key.name = row.text(3);
  key.management = row.integer(4) != 0;
  const std::string_view digest = row.text(5);
  if (digest.size() != key.digest.size()) {
    return fail_as(Error::Kind::unavailable, "key " + key.id + ": its digest is damaged");
  }
  std::memcpy(key.digest.data(), digest.data(), digest.size());
  key.shown = row.text(6);
  key.created_at_s = row.integer(7);
  key.expires_at_s = row.integer(8);
  key.revoked_at_s = row.integer(9);
  key.deactivated = row.integer(10) != 0;
  key.native_parameters = row.integer(11) != 0;
  key.start_within = row.text(12);
  key.requests_per_minute = static_cast<uint32_t>(row.integer(13));
  key.budget_requests = row.maybe_integer(14);
  key.budget_nanos = row.maybe_integer(15);
  key.last_used_at_s = row.integer(16);
  key.month = static_cast<int32_t>(row.integer(17));
  key.month_requests = row.integer(18);
  key.month_nanos = row.integer(19);
  return key;
}

}  // namespace

// `statement` gives keys, `models` their patterns, both in the order of the keys' numbers.
StoreResult<std::vector<Key>> SqliteStore::read_keys(Statement& statement, Statement& models) {
  std::vector<Key> result;
  auto model = models.step();
  auto row = statement.step();
  for (; row && *row; row = statement.step()) {
    auto key = key_of(statement);
    if (!key) return fail(std::move(key.error()));
    for (; model && *model && models.integer(0) == key->number; model = models.step()) {
      key->models.emplace_back(models.text(1));
    }
    result.push_back(std::move(*key));
  }
  if (!model) return fail(std::move(model.error()));
  if (!row) return fail(std::move(row.error()));
  return result;
}

StoreResult<std::vector<Key>> SqliteStore::all_keys() {
  Statement statement(database_, select_keys("ORDER BY number"));
  Statement models(database_, select_patterns("ORDER BY key, position"));
  return read_keys(statement, models);
}

StoreResult<std::vector<Key>> SqliteStore::keys(const KeyQuery& query) {
  return in_transaction(Transaction::Mode::read, [&]() -> StoreResult<std::vector<Key>> {
    Statement statement(database_,
                        select_keys("WHERE organization = ? AND number > ? ORDER BY number "
                                    "LIMIT ?"));
    Statement models(
        database_,
        select_patterns("WHERE key IN (SELECT number FROM keys WHERE organization = ? AND "
                        "number > ?) ORDER BY key, position"));
    // A negative limit is none.
    const auto limit = query.limit > INT64_MAX ? int64_t{-1} : static_cast<int64_t>(query.limit);
    statement.bind(query.organization, query.after, limit);
    models.bind(query.organization, query.after);
    return read_keys(statement, models);
  });
}

// `statement` gives the number of the key that is meant, if any.
StoreResult<Key> SqliteStore::one_key(Statement& statement, std::string_view what) {
  const auto found = statement.step();
  if (!found) return fail(found.error());
  if (!*found) return fail_as(Error::Kind::not_found, "there is no key " + std::string(what));
  const Number number = statement.integer(0);
  Statement row(database_, select_keys("WHERE number = ?"));
  Statement models(database_, select_patterns("WHERE key = ? ORDER BY position"));
  row.bind(number);
  models.bind(number);
  auto keys = read_keys(row, models);
  if (!keys) return fail(std::move(keys.error()));
  return std::move(keys->front());
}

StoreResult<Key> SqliteStore::find_key(std::string_view id) {
  return in_transaction(Transaction::Mode::read, [&] {
    Statement statement(database_, "SELECT number FROM keys WHERE id = ?");
    statement.bind(id);
    return one_key(statement, quoted(id));
  });
}

StoreResult<Key> SqliteStore::find_key(const crypto::Sha256Digest& digest) {
  return in_transaction(Transaction::Mode::read, [&] {
    Statement statement(database_, "SELECT number FROM keys WHERE digest = ?");
    statement.bind(blob_of(digest));
    return one_key(statement, "of this secret");
  });
}

StoreResult<void> SqliteStore::insert_key(const Key& key, std::string_view id) {
  Statement statement(
      database_,
      "INSERT INTO keys (id, organization, name, management, digest, shown, created_at_s, "
      "expires_at_s, deactivated, native_parameters, start_within, requests_per_minute, "
      "budget_requests, budget_nanos) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  statement.bind(id, key.organization, std::string_view(key.name), key.management,
                 blob_of(key.digest), std::string_view(key.shown), now_s(), key.expires_at_s,
                 key.deactivated, key.native_parameters, std::string_view(key.start_within),
                 key.requests_per_minute, key.budget_requests, key.budget_nanos);
  if (auto done = statement.run(); !done) return done;
  const Number number = sqlite3_last_insert_rowid(database_.get());
  Statement models(database_, "INSERT INTO key_models (key, position, pattern) VALUES (?, ?, ?)");
  for (size_t i = 0; i < key.models.size(); ++i) {
    models.bind(number, i, std::string_view(key.models[i]));
    if (auto done = models.run(); !done) return done;
  }
  return {};
}

StoreResult<void> SqliteStore::check_room(const Organization& owner, const Key& key) {
  // By the index alone, and no further than it matters: some 15 ms where there is room for one.
  Statement statement(database_,
                      "SELECT count(*) FROM (SELECT 1 FROM keys WHERE organization = ? LIMIT ?)");
  const auto row = statement.bind(owner.number, kKeysMax).step();
  if (!row) return fail(row.error());
  if (static_cast<size_t>(statement.integer(0)) >= kKeysMax) {
    return full("API keys", owner.name + " has " + std::to_string(kKeysMax) +
                                " keys, revoked ones among them, the most that an organization "
                                "can have");
  }
  // Most keys list no models, and nothing is counted for them.
  return key.models.empty() ? StoreResult<void>{} : check_room_for_models(owner, key);
}

StoreResult<void> SqliteStore::check_room_for_models(const Organization& owner, const Key& key) {
  // CROSS JOIN holds SQLite to the order of the tables: what other organizations have is not
  // looked at (https://www.sqlite.org/optoverview.html#crossjoin). Some 50 ms where nearly full.
  Statement statement(database_,
                      "SELECT count(*) FROM (SELECT 1 FROM keys CROSS JOIN key_models ON key = "
                      "number WHERE organization = ? LIMIT ?)");
  const auto row = statement.bind(owner.number, kOrganizationPatternsMax).step();
  if (!row) return fail(row.error());
  const auto count = static_cast<size_t>(statement.integer(0));
  if (count + key.models.size() <= kOrganizationPatternsMax) return {};
  return full("models on the lists of its API keys",
              owner.name + " has " + std::to_string(count) +
                  " models on the lists of its keys, revoked ones among them, and " +
                  std::to_string(key.models.size()) + " more would be over the " +
                  std::to_string(kOrganizationPatternsMax) + " that an organization can have");
}

StoreResult<Key> SqliteStore::create_key(const Key& key) {
  if (auto done = check_key(key); !done) return fail(std::move(done.error()));
  return write([&]() -> StoreResult<Key> {
    const auto owner = organization(key.organization);
    if (!owner) return fail(owner.error());
    if (auto done = check_room(*owner, key); !done) return fail(std::move(done.error()));
    const auto id = fresh_id("key_", "keys");
    if (!id) return fail(id.error());
    if (auto done = insert_key(key, *id); !done) {
      if (done.error().kind != Error::Kind::exists) return fail(std::move(done.error()));
      return fail_as(Error::Kind::exists, "there is a key of this secret already");
    }
    Statement statement(database_, "SELECT number FROM keys WHERE id = ?");
    statement.bind(std::string_view(*id));
    return one_key(statement, *id);
  });
}

StoreResult<Key> SqliteStore::change_key(std::string_view id, KeyChange change) {
  return write([&]() -> StoreResult<Key> {
    Statement statement(database_, "SELECT number FROM keys WHERE id = ?");
    statement.bind(id);
    auto key = one_key(statement, quoted(id));
    if (!key) return key;
    if (change == KeyChange::revoke) {
      if (key->revoked_at_s != 0) return key;
      key->revoked_at_s = now_s();
    } else if (key->revoked_at_s != 0) {
      return fail_as(Error::Kind::invalid, "key " + key->id + " is revoked, and stays so");
    } else {
      key->deactivated = change == KeyChange::deactivate;
    }
    Statement update(database_,
                     "UPDATE keys SET revoked_at_s = ?, deactivated = ? WHERE number = ?");
    update.bind(key->revoked_at_s, key->deactivated, key->number);
    if (auto done = update.run(); !done) return fail(std::move(done.error()));
    return key;
  });
}

}  // namespace flexd::store
