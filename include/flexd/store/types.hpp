// types.hpp: what a store holds: organizations, keys, provider keys, models, usage.
//
// Plain values, as they stand at one moment. Times are Unix seconds, 0 where it never happened;
// money is in nano-dollars (10^-9 USD), so that one cheap request is not rounded away. No secret is
// in here: keys are digests, provider keys are sealed (crypto/seal.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/crypto/sha256.hpp"

namespace flexd::store {

// Number identifies a row inside one store; 0 is none. People see public ids.
using Number = int64_t;

inline constexpr int64_t kNanosPerMicro = 1'000;
inline constexpr int64_t kNanosPerDollar = 1'000'000'000;

// Billing is what the operator says of an organization's account. Anything but ok pauses durations.
enum class Billing : uint8_t { ok, overdue, no_payment_method };
inline constexpr std::string_view kBillingWords[] = {"ok", "overdue", "no-payment-method"};

struct Organization {
  Number number = 0;
  std::string id;    // org_ and 12 hex digits
  std::string name;  // unique; 1 to 64 of letters, digits, '-', '_' and '.'; not of an id's form
  int64_t created_at_s = 0;
  Billing billing = Billing::ok;
  std::optional<uint32_t> requests_per_second;  // else the gateway's flag; 0: no limit
  std::optional<uint32_t> race_slots;           // else the gateway's flag
  // credit_nanos is all credit ever added; nullopt: the organization does not prepay.
  std::optional<int64_t> credit_nanos;
  // spent_nanos is the list cost drawn from the credit so far; it only grows.
  int64_t spent_nanos = 0;
};

struct Key {
  Number number = 0;
  std::string id;  // key_ and 12 hex digits
  Number organization = 0;
  std::string name;               // may be empty; at most 64 printable ASCII characters
  bool management = false;        // flexm_… instead of flex_live_…
  crypto::Sha256Digest digest{};  // of the whole key
  std::string shown;              // its prefix and first four digits, to tell keys apart
  int64_t created_at_s = 0;
  int64_t expires_at_s = 0;  // 0: never
  int64_t revoked_at_s = 0;  // not 0: it does not exist for callers
  int64_t last_used_at_s = 0;
  bool deactivated = false;
  bool native_parameters = false;
  std::string start_within;                // default of requests without one; empty: none
  std::vector<std::string> models;         // exact names and prefixes that end in '*'; empty: all
  uint32_t requests_per_minute = 0;        // 0: no limit
  std::optional<int64_t> budget_requests;  // of a calendar month (UTC)
  std::optional<int64_t> budget_nanos;
  // What counts against the budgets in the month `month` (year * 12 + month - 1).
  int32_t month = 0;
  int64_t month_requests = 0;
  int64_t month_nanos = 0;
};

// KeyQuery asks for keys of one organization in order of creation, revoked ones too.
struct KeyQuery {
  Number organization = 0;
  Number after = 0;         // only keys that were made after this one
  size_t limit = SIZE_MAX;  // at most so many
};

// SealedProviderKey is an organization's key at a provider.
struct SealedProviderKey {
  Number organization = 0;
  std::string provider;   // openai, gemini, anthropic
  std::string secret_id;  // drawn when the secret is set; stays when it is sealed anew
  std::string sealed;     // bound to `associated_data`
  std::string shown;      // its last four characters
  int64_t created_at_s = 0;
};

// Model is what the operator says of one model.
struct Model {
  std::string name;
  bool maintenance = false;
  uint32_t retry_after_s = 60;
};

// Contents is all of a store but the usage, at one moment.
struct Contents {
  uint64_t version = 0;            // what Store::version was
  uint64_t spending_revision = 0;  // what Store::spending would have said
  std::vector<Organization> organizations;
  std::vector<Key> keys;  // revoked ones too
  std::vector<SealedProviderKey> provider_keys;
  std::vector<Model> models;
};

// UsageCounts is what is added up.
struct UsageCounts {
  int64_t requests = 0;
  int64_t errors = 0;         // answered with an error, flexd's own or the provider's
  int64_t client_closed = 0;  // 499: the caller left; neither an error nor an answer
  int64_t input_tokens = 0;   // with those read from and written to a cache
  int64_t cached_tokens = 0;
  int64_t cache_write_tokens = 0;
  int64_t output_tokens = 0;  // with reasoning
  int64_t reasoning_tokens = 0;
  int64_t unpriced = 0;        // requests with tokens whose model or tier has no price
  int64_t cost_nanos = 0;      // list cost at the tier that served
  int64_t standard_nanos = 0;  // what standard would have cost; saved is the difference
  // attempts given up, or broken off while another was sent too, that the provider may charge for
  int64_t possible_double_bills = 0;
  int64_t drawn_nanos = 0;  // of cost_nanos: drawn from prepaid credit

  UsageCounts& operator+=(const UsageCounts& other);
};

// UsageRow is the counts of one combination; key 0, or organization and key 0, where a gateway had
// no room to tell them apart. In the answer to a query, a column that was not asked
// for is 0 or empty.
struct UsageRow {
  Number organization = 0;
  Number key = 0;
  int32_t day = 0;  // days since 1970-01-01, UTC
  std::string model;
  std::string provider;
  std::string tier_asked;   // flex, default, priority, auto
  std::string tier_served;  // the provider's word; empty where none answered
  std::string reason;       // the routing reason; empty where it went nowhere
  UsageCounts counts;
};

// KeyUse is what a key did since the last time, for its budgets and its last use.
struct KeyUse {
  Number key = 0;
  int64_t last_used_at_s = 0;
  int32_t month = 0;
  int64_t requests = 0;  // those that count against budget_requests
  int64_t nanos = 0;
};

// OrganizationSpending is what an organization has drawn from its credit, in all.
struct OrganizationSpending {
  Number organization = 0;
  int64_t spent_nanos = 0;
};

// Spending is what has been spent, by all gateways of a store: of each key the month that it has
// counted last, with sums where KeyUse has what was added.
struct Spending {
  uint64_t revision = 0;  // to be asked with for what comes after it
  std::vector<KeyUse> keys;
  std::vector<OrganizationSpending> organizations;
};

// UsageColumn is a column by which usage can be grouped.
enum class UsageColumn : uint8_t {
  organization,
  key,
  day,
  model,
  provider,
  tier_asked,
  tier_served,
  reason
};
inline constexpr std::string_view kUsageColumnWords[] = {"org",      "key",   "day",    "model",
                                                         "provider", "asked", "served", "reason"};
inline constexpr size_t kUsageColumnCount = std::size(kUsageColumnWords);

struct UsageQuery {
  Number organization = 0;        // 0: all
  Number key = 0;                 // 0: all
  int32_t since_day = 0;          // first day
  int32_t until_day = INT32_MAX;  // last day
  std::vector<UsageColumn> by;    // rows come in the order of these
  size_t limit = SIZE_MAX;        // at most so many rows
};

// associated_data is what a provider key is sealed to: organization id, provider and secret id.
std::string associated_data(std::string_view organization_id, std::string_view provider,
                            std::string_view secret_id);
// month_of is the month of a Unix time, as Key::month has it; day_of is its day.
int32_t month_of(int64_t unix_s);
int32_t day_of(int64_t unix_s);

}  // namespace flexd::store
