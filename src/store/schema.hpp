// schema.hpp: the tables, and how a file of an earlier version becomes one of this. Private.
#pragma once

#include <span>

#include "sqlite.hpp"

namespace flexd::store {

// kApplicationId marks a SQLite file as flexd's ("flex"), so that no other database is taken for a
// store: https://www.sqlite.org/pragma.html#pragma_application_id
inline constexpr int64_t kApplicationId = 0x666c6578;

// A Migration is the SQL that makes version n + 1 of version n; the first makes the tables.
using Migration = const char*;

// migrations are those of this build; their count is its schema version. One that has been in a
// release is never changed: what is different now is another migration at the end.
std::span<const Migration> migrations();

// State is what a file is before anything is changed in it.
enum class SchemaState : uint8_t { empty, older, current };

// schema_state looks at the file; one of another program or of a newer flexd is a failure.
StoreResult<SchemaState> schema_state(const Database& database, std::span<const Migration> list);

// migrate brings the file to the version of the last of `list` in one transaction.
StoreResult<void> migrate(const Database& database, std::span<const Migration> list);

}  // namespace flexd::store
