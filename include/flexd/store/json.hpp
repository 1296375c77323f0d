// json.hpp: what a store holds as JSON, the same in `flexctl --json` and in the admin API.
//
// Times are Unix seconds, or null where there is none. Money is a decimal string in USD with up to
// nine places ("1.25"), because a binary fraction would not add up. Limits that are not set are
// null. Secrets, digests and sealed bytes are never written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flexd/json/writer.hpp"
#include "flexd/store/types.hpp"

namespace flexd::store {

// StringSink collects JSON in a string.
struct StringSink {
  std::string text;
  void append(std::string_view more) { text += more; }
};
using JsonWriter = json::Writer<StringSink>;

// usd_text writes nano-dollars as USD: "12.5", "0.000001", "-3"; no more zeros at the end than
// needed.
std::string usd_text(int64_t nanos);
// parse_usd reads decimal USD with up to nine places, exactly; nullopt for anything else, and for
// sums beyond int64.
std::optional<int64_t> parse_usd(std::string_view text);

// write_key_members writes the members of a key into an open object: id, object ("key"), org, name,
// kind, shown, created_at, expires_at, revoked_at, deactivated, last_used_at, start_within, models,
// requests_per_minute, budget_requests, budget_usd, native_parameters, month (the running one of
// `now_s`: requests, cost_usd).
void write_key_members(JsonWriter& writer, const Key& key, std::string_view organization_name,
                       int64_t now_s);
// write_organization_members: id, object ("org"), name, created_at, billing, requests_per_second,
// race_slots, and write_balance_members.
void write_organization_members(JsonWriter& writer, const Organization& organization);
// write_balance_members: prepaid, credit_usd, spent_usd, balance_usd (null unless it prepays).
void write_balance_members(JsonWriter& writer, const Organization& organization);
// write_provider_key_members: org, provider, shown, created_at.
void write_provider_key_members(JsonWriter& writer, const SealedProviderKey& key,
                                std::string_view organization_name);

// Names says what organizations and keys are called, by number, for rows of usage.
struct UsageNames {
  std::function<std::string(Number)> organization;
  std::function<std::string(Number)> key;
};
// usage_text is what one column of a row says: a name, a day as "2026-11-21", a word.
std::string usage_text(const UsageRow& row, UsageColumn column, const UsageNames& names);
// write_usage_row writes one object: the columns of `by` and the counts:
// requests, errors, client_closed, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
// reasoning_tokens, cost_usd, standard_usd, saved_usd, unpriced, possible_double_bills.
void write_usage_row(JsonWriter& writer, const UsageRow& row, std::span<const UsageColumn> by,
                     const UsageNames& names);

// date_text is a day as "2026-11-21"; parse_date is its inverse.
std::string date_text(int32_t day);
std::optional<int32_t> parse_date(std::string_view text);

}  // namespace flexd::store
