// Organizations: their limits, their billing, their credit.
#include <algorithm>
#include <array>
#include <chrono>

#include "flexd/crypto/bytes.hpp"
#include "rules.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

// select_organizations is a query for organizations with the rest of its text.
std::string select_organizations(std::string_view rest) {
  return std::string(
             "SELECT number, id, name, created_at_s, billing, requests_per_second, race_slots, "
             "credit_nanos, coalesce(spent_nanos, 0) "
             "FROM organizations LEFT JOIN spending ON organization = number ")
      .append(rest);
}

StoreResult<Organization> organization_of(const Statement& row) {
  Organization result;
  result.number = row.integer(0);
  result.id = row.text(1);
  result.name = row.text(2);
  result.created_at_s = row.integer(3);
  const auto* const word = std::ranges::find(kBillingWords, row.text(4));
  if (word == std::end(kBillingWords)) {
    return fail_as(Error::Kind::unavailable, "organization " + result.id + ": unknown billing");
  }
  result.billing = static_cast<Billing>(word - std::begin(kBillingWords));
  result.requests_per_second = row.maybe_count(5);
  result.race_slots = row.maybe_count(6);
  result.credit_nanos = row.maybe_integer(7);
  result.spent_nanos = row.integer(8);
  return result;
}

StoreResult<Organization> one_organization(Statement& statement, const std::string& what) {
  const auto row = statement.step();
  if (!row) return fail(row.error());
  if (!*row) return fail_as(Error::Kind::not_found, "there is no organization " + what);
  return organization_of(statement);
}

}  // namespace

int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

StoreResult<std::string> SqliteStore::fresh_id(std::string_view prefix, std::string_view table) {
  const std::string sql = "SELECT 1 FROM " + std::string(table) + " WHERE id = ?";
  Statement statement(database_, sql);
  // Of 2^48 ids one that is taken is rare, but not impossible.
  while (true) {
    std::array<uint8_t, 6> drawn{};
    crypto::random_bytes(drawn);
    std::array<char, 12> digits{};
    crypto::hex_encode(drawn, digits);
    std::string id(prefix);
    id.append(digits.data(), digits.size());
    const auto taken = statement.bind(std::string_view(id)).step();
    if (!taken) return fail(taken.error());
    if (!*taken) return id;
    statement.reset();
  }
}

StoreResult<Organization> SqliteStore::organization(Number number) {
  Statement statement(database_, select_organizations("WHERE number = ?"));
  statement.bind(number);
  return one_organization(statement, "number " + std::to_string(number));
}

StoreResult<std::vector<Organization>> SqliteStore::all_organizations() {
  Statement statement(database_, select_organizations("ORDER BY number"));
  std::vector<Organization> result;
  auto row = statement.step();
  for (; row && *row; row = statement.step()) {
    auto one = organization_of(statement);
    if (!one) return fail(std::move(one.error()));
    result.push_back(std::move(*one));
  }
  if (!row) return fail(std::move(row.error()));
  return result;
}

StoreResult<Organization> SqliteStore::create_organization(std::string_view name) {
  if (auto done = check_organization_name(name); !done) return fail(std::move(done.error()));
  return write([&]() -> StoreResult<Organization> {
    const auto id = fresh_id("org_", "organizations");
    if (!id) return fail(id.error());
    Statement statement(database_,
                        "INSERT INTO organizations (id, name, created_at_s) VALUES (?, ?, ?)");
    if (auto done = statement.bind(std::string_view(*id), name, now_s()).run(); !done) {
      if (done.error().kind != Error::Kind::exists) return fail(std::move(done.error()));
      return fail_as(Error::Kind::exists, "there is an organization " + quoted(name) + " already");
    }
    return organization(sqlite3_last_insert_rowid(database_.get()));
  });
}

StoreResult<Organization> SqliteStore::find_organization(std::string_view id_or_name) {
  Statement statement(database_, select_organizations("WHERE id = ?1 OR name = ?1"));
  statement.bind(id_or_name);
  return one_organization(statement, quoted(id_or_name));
}

StoreResult<Organization> SqliteStore::change_organization(Number number,
                                                           const OrganizationChange& change) {
  if (auto done = check_change(change); !done) return fail(std::move(done.error()));
  return write([&]() -> StoreResult<Organization> {
    auto now = organization(number);
    if (!now) return now;
    if (change.billing) now->billing = *change.billing;
    if (change.requests_per_second) now->requests_per_second = *change.requests_per_second;
    if (change.race_slots) now->race_slots = *change.race_slots;
    if (change.end_prepaid) now->credit_nanos.reset();
    const auto billing = static_cast<size_t>(now->billing);
    if (billing >= std::size(kBillingWords)) {
      return fail_as(Error::Kind::invalid, "unknown billing");
    }
    Statement statement(database_,
                        "UPDATE organizations SET billing = ?, requests_per_second = ?, "
                        "race_slots = ?, credit_nanos = ? WHERE number = ?");
    statement.bind(kBillingWords[billing], now->requests_per_second, now->race_slots,
                   now->credit_nanos, number);
    if (auto done = statement.run(); !done) return fail(std::move(done.error()));
    return now;
  });
}

StoreResult<Organization> SqliteStore::add_credit(Number number, int64_t nanos) {
  return write([&]() -> StoreResult<Organization> {
    auto now = organization(number);
    if (!now) return now;
    if (!now->credit_nanos && nanos <= 0) {
      return fail_as(Error::Kind::invalid,
                     "credit of " + now->name + ": it has none, so the first has to be above 0");
    }
    // What an earlier time of prepayment drew stays in `spent_nanos`, and is not owed.
    int64_t sum = 0;
    if (__builtin_add_overflow(now->credit_nanos.value_or(now->spent_nanos), nanos, &sum)) {
      return fail_as(Error::Kind::invalid, "credit of " + now->name + ": the sum is too large");
    }
    if (sum < 0) {
      return fail_as(Error::Kind::invalid, "credit of " + now->name + ": the sum is negative");
    }
    now->credit_nanos = sum;
    Statement statement(database_, "UPDATE organizations SET credit_nanos = ? WHERE number = ?");
    if (auto done = statement.bind(sum, number).run(); !done) return fail(std::move(done.error()));
    return now;
  });
}

}  // namespace flexd::store
