// sqlite_store.hpp: the store in one SQLite file. Private; open_store makes it.
#pragma once

#include <atomic>
#include <chrono>
#include <type_traits>

#include "sqlite.hpp"

namespace flexd::store {

class SqliteStore final : public Store {
 public:
  // A store over a connection whose file has the current schema.
  explicit SqliteStore(Database database);

  void set_wait_ms(int wait_ms) override { wait_ms_ = wait_ms; }
  void interrupt() override { interrupted_ = true; }
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
  StoreResult<Spending> spending(uint64_t since) override;
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
  StoreResult<void> check_room(const Organization& owner, const Key& key);
  StoreResult<void> check_room_for_models(const Organization& owner, const Key& key);
  StoreResult<void> insert_key(const Key& key, std::string_view id);
  StoreResult<std::vector<Key>> read_keys(Statement& statement, Statement& models);
  StoreResult<Key> one_key(Statement& statement, std::string_view what);
  StoreResult<std::vector<Organization>> all_organizations();
  StoreResult<std::vector<Key>> all_keys();
  StoreResult<std::vector<SealedProviderKey>> all_provider_keys();
  StoreResult<std::vector<Model>> all_models();
  StoreResult<void> add_usage(std::span<const UsageRow> rows);
  StoreResult<uint64_t> next_revision();
  StoreResult<void> draw_credit(std::span<const UsageRow> rows, uint64_t revision);
  StoreResult<void> note_uses(std::span<const KeyUse> uses, uint64_t revision);
  StoreResult<void> read_spending(uint64_t since, Spending& spending);
  // forget_old_pages empties the write-ahead log into the file, if nobody reads it: replaced
  // secrets are in neither any more.
  void forget_old_pages();

  // wait and look_up are SQLite's callbacks: while another connection holds a lock, and every some
  // thousand steps of a statement. `store` is the SqliteStore.
  static int wait(void* store, int count);
  static int look_up(void* store);

  // Known are the versions and the moment, in the terms of PRAGMA data_version, at which they were
  // read.
  struct Known {
    int64_t data_version = 0;
    uint64_t version = 0;
    uint64_t revision = 0;
  };
  StoreResult<Known> known();

  // Own are revisions between which nobody but this object has spent.
  struct Own {
    uint64_t from = 0;
    uint64_t to = 0;
  };

  Database database_;
  int wait_ms_ = kBusyMs;
  std::chrono::steady_clock::time_point waits_since_;
  std::atomic<bool> interrupted_ = false;
  std::optional<Known> known_;
  Own own_;
};

// install_functions adds the SQL functions that the statements of usage.cpp call.
StoreResult<void> install_functions(const Database& database);

// named says what it was that is not there.
std::unexpected<Error> named(Error error, const std::string& what);

// now_s is the Unix time.
int64_t now_s();

}  // namespace flexd::store
