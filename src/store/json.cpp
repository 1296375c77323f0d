#include "flexd/store/json.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace flexd::store {
namespace {

constexpr size_t kNanoDigits = 9;

void write_time(JsonWriter& writer, std::string_view name, int64_t at_s) {
  writer.key(name);
  if (at_s == 0) {
    writer.null();
  } else {
    writer.integer(at_s);
  }
}

void write_usd(JsonWriter& writer, std::string_view name, std::optional<int64_t> nanos) {
  writer.key(name);
  if (nanos) {
    writer.string(usd_text(*nanos));
  } else {
    writer.null();
  }
}

template <typename Integer>
void write_limit(JsonWriter& writer, std::string_view name, std::optional<Integer> limit) {
  writer.key(name);
  if (limit) {
    writer.integer(*limit);
  } else {
    writer.null();
  }
}

bool all_digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

template <typename Integer>
bool read_digits(std::string_view text, Integer& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && all_digits(text);
}

}  // namespace

std::string usd_text(int64_t nanos) {
  const bool negative = nanos < 0;
  const uint64_t amount =
      negative ? uint64_t{0} - static_cast<uint64_t>(nanos) : static_cast<uint64_t>(nanos);
  std::string text = (negative ? "-" : "") + std::to_string(amount / kNanosPerDollar);
  std::string fraction = std::to_string(amount % kNanosPerDollar);
  fraction.insert(0, kNanoDigits - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) text += "." + fraction;
  return text;
}

std::optional<int64_t> parse_usd(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string fraction(point == std::string_view::npos ? std::string_view("0")
                                                       : text.substr(point + 1));
  if (whole.empty() || fraction.empty() || fraction.size() > kNanoDigits) return std::nullopt;
  fraction.append(kNanoDigits - fraction.size(), '0');
  int64_t dollars = 0;
  int64_t nanos = 0;
  if (!read_digits(whole, dollars) || !read_digits(std::string_view(fraction), nanos)) {
    return std::nullopt;
  }
  int64_t sum = 0;
  if (__builtin_mul_overflow(dollars, kNanosPerDollar, &sum) ||
      __builtin_add_overflow(sum, nanos, &sum)) {
    return std::nullopt;
  }
  return negative ? -sum : sum;
}

void write_key_members(JsonWriter& writer, const Key& key, std::string_view organization_name,
                       int64_t now_s) {
  writer.key("id").string(key.id).key("object").string("key");
  writer.key("org").string(organization_name).key("name").string(key.name);
  writer.key("kind").string(key.management ? "management" : "inference");
  writer.key("shown").string(key.shown);
  write_time(writer, "created_at", key.created_at_s);
  write_time(writer, "expires_at", key.expires_at_s);
  write_time(writer, "revoked_at", key.revoked_at_s);
  writer.key("deactivated").boolean(key.deactivated);
  write_time(writer, "last_used_at", key.last_used_at_s);
  writer.key("start_within");
  if (key.start_within.empty()) {
    writer.null();
  } else {
    writer.string(key.start_within);
  }
  writer.key("models").begin_array();
  for (const std::string& pattern : key.models) writer.string(pattern);
  writer.end_array();
  write_limit(writer, "requests_per_minute",
              key.requests_per_minute == 0 ? std::nullopt : std::optional(key.requests_per_minute));
  write_limit(writer, "budget_requests", key.budget_requests);
  write_usd(writer, "budget_usd", key.budget_nanos);
  writer.key("native_parameters").boolean(key.native_parameters);
  const bool current = key.month == month_of(now_s);
  writer.key("month").begin_object();
  writer.key("requests").integer(current ? key.month_requests : 0);
  write_usd(writer, "cost_usd", current ? key.month_nanos : 0);
  writer.end_object();
}

void write_organization_members(JsonWriter& writer, const Organization& organization) {
  writer.key("id").string(organization.id).key("object").string("org");
  writer.key("name").string(organization.name);
  write_time(writer, "created_at", organization.created_at_s);
  writer.key("billing").string(kBillingWords[static_cast<size_t>(organization.billing)]);
  write_limit(writer, "requests_per_second", organization.requests_per_second);
  write_limit(writer, "race_slots", organization.race_slots);
  write_balance_members(writer, organization);
}

void write_balance_members(JsonWriter& writer, const Organization& organization) {
  const std::optional<int64_t>& credit = organization.credit_nanos;
  const std::optional<int64_t> none;
  writer.key("prepaid").boolean(credit.has_value());
  write_usd(writer, "credit_usd", credit);
  write_usd(writer, "spent_usd", credit ? std::optional(organization.spent_nanos) : none);
  write_usd(writer, "balance_usd",
            credit ? std::optional(*credit - organization.spent_nanos) : none);
}

void write_provider_key_members(JsonWriter& writer, const SealedProviderKey& key,
                                std::string_view organization_name) {
  writer.key("org").string(organization_name).key("provider").string(key.provider);
  writer.key("shown").string(key.shown);
  write_time(writer, "created_at", key.created_at_s);
}

std::string usage_text(const UsageRow& row, UsageColumn column, const UsageNames& names) {
  switch (column) {
    case UsageColumn::organization:
      return names.organization(row.organization);
    case UsageColumn::key:
      return names.key(row.key);
    case UsageColumn::day:
      return date_text(row.day);
    case UsageColumn::model:
      return row.model;
    case UsageColumn::provider:
      return row.provider;
    case UsageColumn::tier_asked:
      return row.tier_asked;
    case UsageColumn::tier_served:
      return row.tier_served;
    case UsageColumn::reason:
      return row.reason;
  }
  return {};
}

void write_usage_row(JsonWriter& writer, const UsageRow& row, std::span<const UsageColumn> by,
                     const UsageNames& names) {
  writer.begin_object();
  for (const UsageColumn column : by) {
    writer.key(kUsageColumnWords[static_cast<size_t>(column)]);
    writer.string(usage_text(row, column, names));
  }
  const UsageCounts& counts = row.counts;
  writer.key("requests").integer(counts.requests).key("errors").integer(counts.errors);
  writer.key("client_closed").integer(counts.client_closed);
  writer.key("input_tokens").integer(counts.input_tokens);
  writer.key("cached_tokens").integer(counts.cached_tokens);
  writer.key("cache_write_tokens").integer(counts.cache_write_tokens);
  writer.key("output_tokens").integer(counts.output_tokens);
  writer.key("reasoning_tokens").integer(counts.reasoning_tokens);
  write_usd(writer, "cost_usd", counts.cost_nanos);
  write_usd(writer, "standard_usd", counts.standard_nanos);
  write_usd(writer, "saved_usd", counts.standard_nanos - counts.cost_nanos);
  writer.key("unpriced").integer(counts.unpriced);
  writer.key("possible_double_bills").integer(counts.possible_double_bills);
  writer.end_object();
}

std::string date_text(int32_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text.data();
}

std::optional<int32_t> parse_date(std::string_view text) {
  constexpr size_t kDateBytes = 10;
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  if (text.size() != kDateBytes || text[4] != '-' || text[7] != '-' ||
      !read_digits(text.substr(0, 4), year) || !read_digits(text.substr(5, 2), month) ||
      !read_digits(text.substr(8, 2), day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                         std::chrono::day{day}};
  if (!date.ok()) return std::nullopt;
  return static_cast<int32_t>(std::chrono::sys_days{date}.time_since_epoch().count());
}

}  // namespace flexd::store
