// store.hpp: where organizations, keys and usage are kept.
//
// The interface is what the embedded database (open_store) and a networked one for several gateways
// have in common: each function that changes something is one transaction, on disk when it returns,
// and `load` is one consistent moment. flexd and any number of flexctl use one store at the same
// time. Calls block; flexd makes them on threads of their own. One object is for one thread, but
// for `interrupt`.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/result.hpp"
#include "flexd/store/types.hpp"

namespace flexd::store {

struct Error {
  enum class Kind : uint8_t {
    not_found,    // what the call names is not there
    exists,       // a name or digest that must be unique is taken
    invalid,      // a value that may not be stored
    full,         // an organization has as many of something as it may (bounds.hpp)
    unavailable,  // it cannot be read or written (the disk, a lock, a damaged or replaced file)
  };
  Kind kind = Kind::unavailable;
  std::string message;         // one line for a person, without secrets
  std::string_view full_of{};  // where `full`: of what, a few words that are static
};

template <typename T>
using StoreResult = Result<T, Error>;

// OrganizationChange sets what is not nullopt.
struct OrganizationChange {
  std::optional<Billing> billing;
  // A limit of nullopt inside goes back to the gateway's flag.
  std::optional<std::optional<uint32_t>> requests_per_second;
  std::optional<std::optional<uint32_t>> race_slots;
  // end_prepaid takes the credit away, spent or not: the organization prepays no more.
  bool end_prepaid = false;
};

// KeyChange is what can become of a key after its creation. A revoked key stays revoked.
enum class KeyChange : uint8_t { revoke, deactivate, activate };

// kBusyMs is how long a call waits for another process's transaction before it is unavailable,
// unless set_wait_ms says otherwise.
inline constexpr int kBusyMs = 5'000;

class Store {
 public:
  virtual ~Store() = default;

  // set_wait_ms is for the calls after it, instead of kBusyMs; 0 does not wait at all. For what
  // can be tried again and must not keep the caller's thread, as usage does.
  virtual void set_wait_ms(int wait_ms) = 0;
  // interrupt has the call under way, and every later one that takes long, end soon as unavailable:
  // for the end of the thread that uses the store. A change is then made whole or not at all, as
  // ever. The one function that another thread may call, while the object lives.
  virtual void interrupt() = 0;

  // version differs whenever `load` would give something else than before, but for spending, use
  // and usage, which the gateway itself writes. Cheap enough for four times a second.
  virtual StoreResult<uint64_t> version() = 0;
  virtual StoreResult<Contents> load() = 0;

  // create_organization makes one with this name; number, id and created_at_s are the store's.
  virtual StoreResult<Organization> create_organization(std::string_view name) = 0;
  // find_organization takes an id or a name.
  virtual StoreResult<Organization> find_organization(std::string_view id_or_name) = 0;
  virtual StoreResult<Organization> change_organization(Number organization,
                                                        const OrganizationChange& change) = 0;
  // add_credit adds (or, negative, takes away) credit; the first, which is above
  // 0, makes the organization prepay, and is its whole balance. A
  // sum below 0 or beyond int64 is invalid.
  virtual StoreResult<Organization> add_credit(Number organization, int64_t nanos) = 0;

  // create_key stores `key`; number, id and created_at_s are the store's. It is new: neither
  // revoked nor used, whatever `key` says. An organization with kKeysMax of them is full, and so
  // is one whose keys would have more than kOrganizationPatternsMax models on their lists.
  virtual StoreResult<Key> create_key(const Key& key) = 0;
  virtual StoreResult<Key> find_key(std::string_view id) = 0;
  virtual StoreResult<Key> find_key(const crypto::Sha256Digest& digest) = 0;
  // keys of one organization in order of creation, revoked ones too.
  virtual StoreResult<std::vector<Key>> keys(const KeyQuery& query) = 0;
  StoreResult<std::vector<Key>> keys(Number organization) {
    return keys(KeyQuery{.organization = organization});
  }
  virtual StoreResult<Key> change_key(std::string_view id, KeyChange change) = 0;

  // set_provider_key puts or replaces the key of this organization and provider; created_at_s is
  // the store's. The sealed bytes that it replaces are overwritten in the files.
  virtual StoreResult<void> set_provider_key(const SealedProviderKey& key) = 0;
  virtual StoreResult<std::vector<SealedProviderKey>> provider_keys(Number organization) = 0;
  virtual StoreResult<void> remove_provider_key(Number organization, std::string_view provider) = 0;
  // reseal replaces the sealed bytes of every provider key by what `seal` makes of them, all or
  // none; a failure of `seal` is passed on and changes nothing. Returns how many. `seal` is called
  // inside the transaction and must not use the store.
  using Seal = std::function<StoreResult<std::string>(const Organization& organization,
                                                      const SealedProviderKey& key)>;
  virtual StoreResult<size_t> reseal(const Seal& seal) = 0;

  // set_model puts or replaces what is said of a model. One that is not under maintenance is like
  // one of which nothing was said, and is not kept.
  virtual StoreResult<void> set_model(const Model& model) = 0;

  // record_usage adds rows to the usage, draws credit, and notes the keys' use: one transaction.
  // Every row names an organization and a key that are there, and counts are not negative; sums
  // stay at the largest number. A use in the month before the key's changes last_used
  // alone; any other month than the key's begins anew, an earlier one too (limits.hpp).
  virtual StoreResult<void> record_usage(std::span<const UsageRow> rows,
                                         std::span<const KeyUse> uses) = 0;
  // spending is what is spent by now, of those keys and organizations that have spent since the
  // revision `since`, which an earlier answer or Contents had; 0: of all. What only this object has
  // recorded since then may be left out. Cheap enough for four times a second: where nobody else
  // has spent, only the revision is read.
  virtual StoreResult<Spending> spending(uint64_t since) = 0;
  // usage adds up what matches, grouped and ordered by the columns of the query.
  // Without columns it is one row, the total, also of nothing.
  virtual StoreResult<std::vector<UsageRow>> usage(const UsageQuery& query) = 0;
};

// OpenMode: `create` makes the file (mode 0600) and its tables where there are none; `existing`
// fails if there is no store yet. Both bring an older schema up to date; a newer one is refused.
enum class OpenMode : uint8_t { create, existing };

// open_store opens the store at `location`: a path of an embedded database. A URL of another engine
// is an invalid location for now, and says so.
StoreResult<std::unique_ptr<Store>> open_store(const std::string& location, OpenMode mode);

}  // namespace flexd::store
