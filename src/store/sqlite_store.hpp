// sqlite_store.hpp: the store in one SQLite file. Private; open_store makes it.
#pragma once

#include <type_traits>

#include "sqlite.hpp"

namespace flexd::store {

class SqliteStore final : public Store {
 public:
  // A store over a connection whose file has the current schema.
  explicit SqliteStore(Database database) : database_(std::move(database)) {}

  void set_wait_ms(int wait_ms) override;
  StoreResult<uint64_t> version() override;
  StoreResult<Contents> load() override;

  StoreResult<Organization> create_organization(std::string_view name) override;
  StoreResult<Organization> find_organization(std::string_view id_or_name) override;
  StoreResult<Organization> change_organization(Number organization,
                                                const OrganizationChange& change) override;
  StoreResult<Organization> add_credit(Number organization, int64_t nanos) override;

  StoreResult<Key> create_key(const Key& key) override;
  StoreResult<Key> find_key(std::string_view id) override;
  StoreResult<Key> find_key(const crypto::Sha256Digest& digest) override;
  StoreResult<std::vector<Key>> keys(const KeyQuery& query) override;
  StoreResult<Key> change_key(std::string_view id, KeyChange change) override;

  StoreResult<void> set_provider_key(const SealedProviderKey& key) override;
  StoreResult<std::vector<SealedProviderKey>> provider_keys(Number organization) override;
  StoreResult<void> remove_provider_key(Number organization, std::string_view provider) override;
  StoreResult<size_t> reseal(const Seal& seal) override;

  StoreResult<void> set_model(const Model& model) override;

  StoreResult<void> record_usage(std::span<const UsageRow> rows,
                                 std::span<const KeyUse> uses) override;
  StoreResult<std::vector<UsageRow>> usage(const UsageQuery& query) override;

 private:
  // in_transaction does `body`, which returns a StoreResult, and commits unless that is a failure.
  template <typename Body>
  std::invoke_result_t<Body> in_transaction(Transaction::Mode mode, Body&& body) {
    auto transaction = Transaction::begin(database_, mode);
    if (!transaction) return fail(std::move(transaction.error()));
    auto result = std::forward<Body>(body)();
    if (!result) return result;
    if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
    return result;
  }
  template <typename Body>
  std::invoke_result_t<Body> write(Body&& body) {
    known_.reset();
    return in_transaction(Transaction::Mode::write, std::forward<Body>(body));
  }

  // These are parts of transactions.
  StoreResult<Organization> organization(Number number);
  StoreResult<std::string> fresh_id(std::string_view prefix, std::string_view table);
  StoreResult<void> insert_key(const Key& key, std::string_view id);
  StoreResult<std::vector<Key>> read_keys(Statement& statement, Statement& models);
  StoreResult<Key> one_key(Statement& statement, std::string_view what);
  StoreResult<std::vector<Organization>> all_organizations();
  StoreResult<std::vector<Key>> all_keys();
  StoreResult<std::vector<SealedProviderKey>> all_provider_keys();
  StoreResult<std::vector<Model>> all_models();
  StoreResult<void> add_usage(std::span<const UsageRow> rows);
  StoreResult<void> draw_credit(std::span<const UsageRow> rows);
  StoreResult<void> note_uses(std::span<const KeyUse> uses);
  // forget_old_pages takes replaced secrets out of the write-ahead log too, if nobody reads it.
  void forget_old_pages();

  // Known is a version and the moment, in the terms of PRAGMA data_version, at which it was read.
  struct Known {
    int64_t data_version = 0;
    uint64_t version = 0;
  };

  Database database_;
  int wait_ms_ = kBusyMs;
  std::optional<Known> known_;
};

// install_functions adds the SQL functions that the statements of usage.cpp call.
StoreResult<void> install_functions(const Database& database);

// now_s is the Unix time.
int64_t now_s();

}  // namespace flexd::store
