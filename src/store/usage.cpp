// Usage: adding to it, and adding it up.
#include <algorithm>
#include <limits>

#include "rules.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

// The columns of the table `usage`, in the order of UsageColumn and of UsageCounts.
constexpr std::string_view kColumns[] = {"organization", "key",        "day",         "model",
                                         "provider",     "tier_asked", "tier_served", "reason"};
static_assert(std::size(kColumns) == kUsageColumnCount);
struct Count {
  std::string_view name;
  int64_t UsageCounts::* member;
};
constexpr Count kCounts[] = {
    {"requests", &UsageCounts::requests},
    {"errors", &UsageCounts::errors},
    {"client_closed", &UsageCounts::client_closed},
    {"input_tokens", &UsageCounts::input_tokens},
    {"cached_tokens", &UsageCounts::cached_tokens},
    {"cache_write_tokens", &UsageCounts::cache_write_tokens},
    {"output_tokens", &UsageCounts::output_tokens},
    {"reasoning_tokens", &UsageCounts::reasoning_tokens},
    {"unpriced", &UsageCounts::unpriced},
    {"cost_nanos", &UsageCounts::cost_nanos},
    {"standard_nanos", &UsageCounts::standard_nanos},
    {"possible_double_bills", &UsageCounts::possible_double_bills},
    {"drawn_nanos", &UsageCounts::drawn_nanos},
};
static_assert(std::size(kCounts) * sizeof(int64_t) == sizeof(UsageCounts));

// SQLite's + makes a floating-point number of a sum beyond int64, and its sum() fails. Counts are
// not negative; sums stay at the largest number instead, as UsageCounts does.
int64_t sum_of(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

void add_up(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  sqlite3_result_int64(context,
                       sum_of(sqlite3_value_int64(values[0]), sqlite3_value_int64(values[1])));
}

void total_step(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  // Zero at first, by the library's promise.
  auto* const sum = static_cast<int64_t*>(sqlite3_aggregate_context(context, sizeof(int64_t)));
  if (sum == nullptr) {
    sqlite3_result_error_nomem(context);
  } else {
    *sum = sum_of(*sum, sqlite3_value_int64(values[0]));
  }
}

void total_end(sqlite3_context* context) {
  // Size 0: null where there was no row.
  const auto* const sum = static_cast<const int64_t*>(sqlite3_aggregate_context(context, 0));
  sqlite3_result_int64(context, sum == nullptr ? 0 : *sum);
}

std::string insert_sql() {
  std::string names;
  std::string marks;
  std::string sums;
  for (const std::string_view column : kColumns) {
    names.append(names.empty() ? "" : ", ").append(column);
    marks.append(marks.empty() ? "?" : ", ?");
  }
  for (const Count& count : kCounts) {
    const std::string name(count.name);
    names += ", " + name;
    marks += ", ?";
    sums.append(sums.empty() ? "" : ", ").append(name).append(" = add_up(");
    sums.append(name).append(", excluded.").append(name).append(")");
  }
  return "INSERT INTO usage (" + names + ") VALUES (" + marks + ") ON CONFLICT DO UPDATE SET " +
         sums;
}

// spends: something is counted against credit or a budget.
bool spends(std::span<const UsageRow> rows, std::span<const KeyUse> uses) {
  return std::ranges::any_of(rows, [](const auto& row) { return row.counts.drawn_nanos != 0; }) ||
         std::ranges::any_of(uses,
                             [](const auto& use) { return use.requests != 0 || use.nanos != 0; });
}

std::string query_sql(const UsageQuery& query) {
  std::string columns;
  for (const UsageColumn column : query.by) {
    columns.append(columns.empty() ? "" : ", ").append(kColumns[static_cast<size_t>(column)]);
  }
  std::string sql = "SELECT ";
  for (const Count& count : kCounts) {
    sql.append(&count == kCounts ? "total_of(" : ", total_of(").append(count.name).append(")");
  }
  if (!columns.empty()) sql += ", " + columns;
  sql += " FROM usage WHERE day BETWEEN ? AND ?";
  if (query.organization != 0) sql += " AND organization = ?3";
  if (query.key != 0) sql += " AND key = ?4";
  if (!columns.empty()) sql += " GROUP BY " + columns + " ORDER BY " + columns;
  if (query.limit <= INT64_MAX) sql += " LIMIT " + std::to_string(query.limit);
  return sql;
}

void set_column(UsageRow& row, UsageColumn column, const Statement& statement, int index) {
  switch (column) {
    case UsageColumn::organization:
      row.organization = statement.integer(index);
      break;
    case UsageColumn::key:
      row.key = statement.integer(index);
      break;
    case UsageColumn::day:
      row.day = static_cast<int32_t>(statement.integer(index));
      break;
    case UsageColumn::model:
      row.model = statement.text(index);
      break;
    case UsageColumn::provider:
      row.provider = statement.text(index);
      break;
    case UsageColumn::tier_asked:
      row.tier_asked = statement.text(index);
      break;
    case UsageColumn::tier_served:
      row.tier_served = statement.text(index);
      break;
    case UsageColumn::reason:
      row.reason = statement.text(index);
      break;
  }
}

}  // namespace

std::unexpected<Error> named(Error error, const std::string& what) {
  if (error.kind == Error::Kind::not_found) error.message = what + " that is not there";
  return fail(std::move(error));
}

StoreResult<void> install_functions(const Database& database) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
  int code = sqlite3_create_function_v2(database.get(), "add_up", 2, kFlags, nullptr, add_up,
                                        nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) {
    code = sqlite3_create_function_v2(database.get(), "total_of", 1, kFlags, nullptr, nullptr,
                                      total_step, total_end, nullptr);
  }
  if (code != SQLITE_OK) return fail(database.error(code));
  return {};
}

StoreResult<void> SqliteStore::record_usage(std::span<const UsageRow> rows,
                                            std::span<const KeyUse> uses) {
  for (const UsageRow& row : rows) {
    if (auto done = check_usage(row); !done) return done;
  }
  for (const KeyUse& use : uses) {
    if (auto done = check_use(use); !done) return done;
  }
  if (rows.empty() && uses.empty()) return {};
  uint64_t revision = 0;
  auto done = write([&]() -> StoreResult<void> {
    if (auto added = add_usage(rows); !added) return added;
    if (!spends(rows, uses)) return note_uses(uses, 0);
    const auto next = next_revision();
    if (!next) return fail(next.error());
    revision = *next;
    if (auto drawn = draw_credit(rows, revision); !drawn) return drawn;
    return note_uses(uses, revision);
  });
  if (done && revision != 0) own_ = {own_.to + 1 == revision ? own_.from : revision - 1, revision};
  return done;
}

StoreResult<void> SqliteStore::add_usage(std::span<const UsageRow> rows) {
  Statement statement(database_, insert_sql());
  for (const UsageRow& row : rows) {
    statement.bind(row.organization, row.key, row.day, std::string_view(row.model),
                   std::string_view(row.provider), std::string_view(row.tier_asked),
                   std::string_view(row.tier_served), std::string_view(row.reason));
    int index = static_cast<int>(kUsageColumnCount);
    for (const Count& count : kCounts) statement.bind_at(++index, row.counts.*count.member);
    if (auto done = statement.run(); !done) {
      return named(std::move(done.error()), "usage of an organization or a key");
    }
  }
  return {};
}

StoreResult<std::vector<UsageRow>> SqliteStore::usage(const UsageQuery& query) {
  Statement statement(database_, query_sql(query));
  statement.bind(query.since_day, query.until_day);
  if (query.organization != 0) statement.bind_at(3, query.organization);
  if (query.key != 0) statement.bind_at(4, query.key);
  std::vector<UsageRow> result;
  auto more = statement.step();
  for (; more && *more; more = statement.step()) {
    UsageRow row;
    int index = 0;
    for (const Count& count : kCounts) row.counts.*count.member = statement.integer(index++);
    for (const UsageColumn column : query.by) set_column(row, column, statement, index++);
    result.push_back(std::move(row));
  }
  if (!more) return fail(std::move(more.error()));
  return result;
}

}  // namespace flexd::store
