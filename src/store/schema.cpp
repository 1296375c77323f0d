#include "schema.hpp"

namespace flexd::store {
namespace {

// What the operator sets stands apart from what the gateway counts (key_use, spending, usage):
// triggers count changes of the former in `configuration`, and the gateway's own writes, once a
// second, rewrite small rows and no configuration. Rows are not deleted but for provider keys:
// usage and logs go on naming them.
constexpr Migration kVersion1 = R"sql(
CREATE TABLE configuration (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL
) STRICT;
INSERT INTO configuration VALUES (1, 1);

CREATE TABLE organizations (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  created_at_s INTEGER NOT NULL,
  billing TEXT NOT NULL DEFAULT 'ok'
    CHECK (billing IN ('ok', 'overdue', 'no-payment-method')),
  requests_per_second INTEGER CHECK (requests_per_second BETWEEN 0 AND 4294967295),
  race_slots INTEGER CHECK (race_slots BETWEEN 0 AND 4294967295),
  credit_nanos INTEGER CHECK (credit_nanos >= 0)
) STRICT;

CREATE TABLE keys (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  id TEXT NOT NULL UNIQUE,
  organization INTEGER NOT NULL REFERENCES organizations (number),
  name TEXT NOT NULL,
  management INTEGER NOT NULL CHECK (management IN (0, 1)),
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  shown TEXT NOT NULL,
  created_at_s INTEGER NOT NULL,
  expires_at_s INTEGER NOT NULL CHECK (expires_at_s >= 0),
  revoked_at_s INTEGER NOT NULL DEFAULT 0 CHECK (revoked_at_s >= 0),
  deactivated INTEGER NOT NULL CHECK (deactivated IN (0, 1)),
  native_parameters INTEGER NOT NULL CHECK (native_parameters IN (0, 1)),
  start_within TEXT NOT NULL,
  requests_per_minute INTEGER NOT NULL CHECK (requests_per_minute BETWEEN 0 AND 4294967295),
  budget_requests INTEGER CHECK (budget_requests >= 0),
  budget_nanos INTEGER CHECK (budget_nanos >= 0)
) STRICT;
CREATE INDEX keys_by_organization ON keys (organization);

CREATE TABLE key_models (
  key INTEGER NOT NULL REFERENCES keys (number),
  position INTEGER NOT NULL,
  pattern TEXT NOT NULL,
  PRIMARY KEY (key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE provider_keys (
  organization INTEGER NOT NULL REFERENCES organizations (number),
  provider TEXT NOT NULL CHECK (provider IN ('openai', 'gemini', 'anthropic')),
  secret_id TEXT NOT NULL,
  sealed BLOB NOT NULL,
  shown TEXT NOT NULL,
  created_at_s INTEGER NOT NULL,
  PRIMARY KEY (organization, provider)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
  name TEXT PRIMARY KEY NOT NULL,
  maintenance INTEGER NOT NULL CHECK (maintenance IN (0, 1)),
  retry_after_s INTEGER NOT NULL CHECK (retry_after_s BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_use (
  key INTEGER PRIMARY KEY REFERENCES keys (number),
  last_used_at_s INTEGER NOT NULL,
  month INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  nanos INTEGER NOT NULL
) STRICT;

CREATE TABLE spending (
  organization INTEGER PRIMARY KEY REFERENCES organizations (number),
  spent_nanos INTEGER NOT NULL
) STRICT;

CREATE TABLE usage (
  organization INTEGER NOT NULL,  -- 0: counted where there was no room to tell
  key INTEGER NOT NULL,           -- likewise
  known_organization INTEGER AS (nullif(organization, 0)) REFERENCES organizations (number),
  known_key INTEGER AS (nullif(key, 0)) REFERENCES keys (number),
  day INTEGER NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  tier_asked TEXT NOT NULL,
  tier_served TEXT NOT NULL,
  reason TEXT NOT NULL,
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  client_closed INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,
  standard_nanos INTEGER NOT NULL,
  possible_double_bills INTEGER NOT NULL,
  drawn_nanos INTEGER NOT NULL,
  PRIMARY KEY (organization, day, key, model, provider, tier_asked, tier_served, reason)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER organizations_insert AFTER INSERT ON organizations
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER organizations_update AFTER UPDATE ON organizations
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER organizations_delete AFTER DELETE ON organizations
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER keys_insert AFTER INSERT ON keys
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER keys_update AFTER UPDATE ON keys
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER keys_delete AFTER DELETE ON keys
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER key_models_insert AFTER INSERT ON key_models
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER key_models_update AFTER UPDATE ON key_models
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER key_models_delete AFTER DELETE ON key_models
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER provider_keys_insert AFTER INSERT ON provider_keys
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER provider_keys_update AFTER UPDATE ON provider_keys
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER provider_keys_delete AFTER DELETE ON provider_keys
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER models_insert AFTER INSERT ON models
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER models_update AFTER UPDATE ON models
  BEGIN UPDATE configuration SET version = version + 1; END;
CREATE TRIGGER models_delete AFTER DELETE ON models
  BEGIN UPDATE configuration SET version = version + 1; END;
)sql";

// What gateways have spent since somebody looked is found by a revision: one number for the store,
// counted up by each write that spends, which the rows it touches keep. Rows of the first version
// are older than any look.
constexpr Migration kVersion2 = R"sql(
CREATE TABLE spending_revision (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO spending_revision VALUES (1, 1);
ALTER TABLE key_use ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE spending ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
CREATE INDEX key_use_by_revision ON key_use (revision);
CREATE INDEX spending_by_revision ON spending (revision);
)sql";

constexpr Migration kMigrations[] = {kVersion1, kVersion2};

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

StoreResult<SchemaState> schema_state(const Database& database, std::span<const Migration> list) {
  const auto application = database.number("PRAGMA application_id");
  if (!application) return fail(application.error());
  const auto version = database.number("PRAGMA user_version");
  if (!version) return fail(version.error());
  const auto tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(tables.error());

  const std::string& path = database.path();
  if (*application == 0 && *version == 0 && *tables == 0) return SchemaState::empty;
  if (*application != kApplicationId || *version < 1) {
    return fail_as(Error::Kind::unavailable, path + ": is a database of another program");
  }
  const auto known = static_cast<int64_t>(list.size());
  if (*version > known) {
    return fail_as(Error::Kind::unavailable,
                   path + ": was made by a newer flexd (schema " + std::to_string(*version) +
                       ", this one knows up to " + std::to_string(known) + ")");
  }
  return *version < known ? SchemaState::older : SchemaState::current;
}

StoreResult<void> migrate(const Database& database, std::span<const Migration> list) {
  auto transaction = Transaction::begin(database, Transaction::Mode::write);
  if (!transaction) return fail(std::move(transaction.error()));
  // Under the lock: another process may have been faster.
  const auto state = schema_state(database, list);
  if (!state) return fail(state.error());
  if (*state == SchemaState::current) return {};
  const auto version = database.number("PRAGMA user_version");
  if (!version) return fail(version.error());
  for (const Migration migration : list.subspan(static_cast<size_t>(*version))) {
    if (auto done = database.run(migration); !done) return done;
  }
  const std::string marks = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                            "; PRAGMA user_version = " + std::to_string(list.size());
  if (auto done = database.run(marks.c_str()); !done) return done;
  return transaction->commit();
}

}  // namespace flexd::store
