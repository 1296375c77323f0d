// The whole of the configuration at one moment, and whether it has changed.
#include "rules.hpp"
#include "sqlite_store.hpp"

namespace flexd::store {
namespace {

constexpr std::string_view kVersions =
    "SELECT version, revision FROM configuration, spending_revision";

}  // namespace

StoreResult<uint64_t> SqliteStore::version() {
  const auto now = known();
  if (!now) return fail(now.error());
  return now->version;
}

StoreResult<SqliteStore::Known> SqliteStore::known() {
  // data_version tells commits of other connections without touching the file's pages:
  // https://www.sqlite.org/pragma.html#pragma_data_version. Writes of this one reset known_.
  const auto data_version = database_.number("PRAGMA data_version");
  if (!data_version) return fail(data_version.error());
  if (!known_ || known_->data_version != *data_version) {
    Statement statement(database_, kVersions);
    if (const auto row = statement.step(); !row) return fail(row.error());
    // What was committed between the two reads shows in the next data_version.
    known_ = Known{*data_version, static_cast<uint64_t>(statement.integer(0)),
                   static_cast<uint64_t>(statement.integer(1))};
  }
  return *known_;
}

StoreResult<Contents> SqliteStore::load() {
  return in_transaction(Transaction::Mode::read, [&]() -> StoreResult<Contents> {
    Statement versions(database_, kVersions);
    if (const auto row = versions.step(); !row) return fail(row.error());
    auto organizations = all_organizations();
    if (!organizations) return fail(std::move(organizations.error()));
    auto keys = all_keys();
    if (!keys) return fail(std::move(keys.error()));
    auto provider_keys = all_provider_keys();
    if (!provider_keys) return fail(std::move(provider_keys.error()));
    auto models = all_models();
    if (!models) return fail(std::move(models.error()));
    return Contents{.version = static_cast<uint64_t>(versions.integer(0)),
                    .spending_revision = static_cast<uint64_t>(versions.integer(1)),
                    .organizations = std::move(*organizations),
                    .keys = std::move(*keys),
                    .provider_keys = std::move(*provider_keys),
                    .models = std::move(*models)};
  });
}

StoreResult<std::vector<Model>> SqliteStore::all_models() {
  // An earlier flexd kept a row when maintenance was over.
  Statement statement(database_,
                      "SELECT name, maintenance, retry_after_s FROM models WHERE maintenance <> 0 "
                      "ORDER BY name");
  std::vector<Model> result;
  auto row = statement.step();
  for (; row && *row; row = statement.step()) {
    result.push_back({.name = std::string(statement.text(0)),
                      .maintenance = statement.integer(1) != 0,
                      .retry_after_s = static_cast<uint32_t>(statement.integer(2))});
  }
  if (!row) return fail(std::move(row.error()));
  return result;
}

StoreResult<void> SqliteStore::set_model(const Model& model) {
  if (auto done = check_model(model); !done) return done;
  return write([&]() -> StoreResult<void> {
    if (!model.maintenance) {
      // When to come back is of use during maintenance alone: a row would say nothing.
      Statement statement(database_, "DELETE FROM models WHERE name = ?");
      return statement.bind(std::string_view(model.name)).run();
    }
    Statement statement(
        database_,
        "INSERT INTO models (name, maintenance, retry_after_s) VALUES (?, ?, ?) ON CONFLICT DO "
        "UPDATE SET maintenance = excluded.maintenance, retry_after_s = excluded.retry_after_s");
    return statement.bind(std::string_view(model.name), model.maintenance, model.retry_after_s)
        .run();
  });
}

}  // namespace flexd::store
