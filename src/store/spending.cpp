// Spending: what counts against credit and budgets, and what of it changed since somebody looked.
#include "sqlite_store.hpp"

namespace flexd::store {

// next_revision counts the revision up, for the rows that the transaction under way touches.
StoreResult<uint64_t> SqliteStore::next_revision() {
  auto done = database_.run("UPDATE spending_revision SET revision = revision + 1");
  if (!done) return fail(std::move(done.error()));
  const auto revision = database_.number("SELECT revision FROM spending_revision");
  if (!revision) return fail(revision.error());
  return static_cast<uint64_t>(*revision);
}

StoreResult<void> SqliteStore::draw_credit(std::span<const UsageRow> rows, uint64_t revision) {
  Statement statement(
      database_,
      "INSERT INTO spending (organization, spent_nanos, revision) VALUES (?, ?, ?) ON CONFLICT "
      "DO UPDATE SET spent_nanos = add_up(spent_nanos, excluded.spent_nanos), "
      "revision = excluded.revision");
  for (const UsageRow& row : rows) {
    if (row.counts.drawn_nanos == 0 || row.organization == 0) continue;
    auto done = statement.bind(row.organization, row.counts.drawn_nanos, revision).run();
    if (!done) return named(std::move(done.error()), "spending of an organization");
  }
  return {};
}

StoreResult<void> SqliteStore::note_uses(std::span<const KeyUse> uses, uint64_t revision) {
  // All of the right sides are of the row as it was. The month before it is a use that came late.
  // No use is later than that: a row further ahead was written under a wrong clock, and would hold
  // off every count until its month comes. A use that spends nothing is no news for other gateways.
  Statement statement(
      database_,
      "INSERT INTO key_use (key, last_used_at_s, month, requests, nanos, revision) "
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
      "last_used_at_s = CASE WHEN excluded.month < month - 1 THEN excluded.last_used_at_s "
      "ELSE max(last_used_at_s, excluded.last_used_at_s) END, "
      "requests = CASE excluded.month WHEN month THEN add_up(requests, excluded.requests) "
      "WHEN month - 1 THEN requests ELSE excluded.requests END, "
      "nanos = CASE excluded.month WHEN month THEN add_up(nanos, excluded.nanos) "
      "WHEN month - 1 THEN nanos ELSE excluded.nanos END, "
      "month = CASE excluded.month WHEN month - 1 THEN month ELSE excluded.month END, "
      "revision = CASE WHEN excluded.requests = 0 AND excluded.nanos = 0 THEN revision "
      "ELSE excluded.revision END");
  for (const KeyUse& use : uses) {
    statement.bind(use.key, use.last_used_at_s, use.month, use.requests, use.nanos, revision);
    if (auto done = statement.run(); !done) return named(std::move(done.error()), "use of a key");
  }
  return {};
}

StoreResult<Spending> SqliteStore::spending(uint64_t since) {
  const auto now = known();
  if (!now) return fail(now.error());
  if (own_.from <= since && since < own_.to) since = own_.to;
  if (now->revision == since) return Spending{.revision = since};
  // Another store has come to stand in the place of the one that was asked before.
  if (now->revision < since) since = 0;
  return in_transaction(Transaction::Mode::read, [&]() -> StoreResult<Spending> {
    const auto revision = database_.number("SELECT revision FROM spending_revision");
    if (!revision) return fail(revision.error());
    Spending spending{.revision = static_cast<uint64_t>(*revision)};
    if (auto done = read_spending(since, spending); !done) return fail(std::move(done.error()));
    return spending;
  });
}

StoreResult<void> SqliteStore::read_spending(uint64_t since, Spending& spending) {
  Statement keys(database_,
                 "SELECT key, last_used_at_s, month, requests, nanos FROM key_use "
                 "WHERE revision > ?");
  keys.bind(since);
  auto row = keys.step();
  for (; row && *row; row = keys.step()) {
    spending.keys.push_back({.key = keys.integer(0),
                             .last_used_at_s = keys.integer(1),
                             .month = static_cast<int32_t>(keys.integer(2)),
                             .requests = keys.integer(3),
                             .nanos = keys.integer(4)});
  }
  if (!row) return fail(std::move(row.error()));
  Statement organizations(database_,
                          "SELECT organization, spent_nanos FROM spending WHERE revision > ?");
  organizations.bind(since);
  row = organizations.step();
  for (; row && *row; row = organizations.step()) {
    spending.organizations.push_back({organizations.integer(0), organizations.integer(1)});
  }
  if (!row) return fail(std::move(row.error()));
  return {};
}

}  // namespace flexd::store
