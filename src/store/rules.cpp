#include "rules.hpp"

#include <algorithm>

#include "flexd/store/bounds.hpp"
#include "flexd/store/json.hpp"
#include "sqlite.hpp"

namespace flexd::store {
namespace {

constexpr size_t kOrganizationNameBytesMax = 64;
// kQuotedBytesMax is enough for any good name.
constexpr size_t kQuotedBytesMax = 64;
constexpr size_t kShownBytesMax = 32;
constexpr size_t kStartWithinBytesMax = 32;
constexpr size_t kSecretIdBytesMax = 64;
constexpr size_t kSealedBytesMax = 4096;
constexpr size_t kAmountPlacesMax = 6;
// Usage has what requests say, which no rule of names holds for.
constexpr size_t kUsageTextBytesMax = 512;
constexpr std::string_view kProviders[] = {"openai", "gemini", "anthropic"};

std::unexpected<Error> invalid(std::string message) {
  return fail_as(Error::Kind::invalid, std::move(message));
}

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// ASCII alone: what is stored is shown in terminals and tables.
bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

bool is_visible(char c) {
  return c > ' ' && c <= '~';
}

bool has_form_of_id(std::string_view text) {
  if (!text.starts_with("org_")) return false;
  text.remove_prefix(4);
  return text.size() == 12 && std::ranges::all_of(text, is_hex_digit);
}

StoreResult<void> check_pattern(std::string_view pattern) {
  const std::string_view stem =
      pattern.ends_with('*') ? pattern.substr(0, pattern.size() - 1) : pattern;
  if (pattern.empty() || pattern.size() > kModelBytesMax ||
      !std::ranges::all_of(stem, is_visible) || stem.find('*') != std::string_view::npos) {
    return invalid("model " + quoted(pattern) +
                   ": 1 to 128 visible ASCII characters, with '*' only at the end");
  }
  return {};
}

bool within(int64_t value) {
  return value >= 0;
}

StoreResult<void> check_bounds(std::string_view what, int64_t number, const Bounds& bounds) {
  if (bounds.hold(number)) return {};
  return invalid(std::string(what) + ": " + std::string(bounds.words));
}

StoreResult<void> check_limits(const Key& key) {
  if (key.requests_per_minute != 0) {
    auto done = check_bounds("requests per minute of a key", key.requests_per_minute,
                             kRequestsPerMinuteBounds);
    if (!done) return done;
  }
  auto done =
      check_bounds("budget in requests", key.budget_requests.value_or(0), kBudgetRequestsBounds);
  if (!done) return done;
  return check_bounds("budget", key.budget_nanos.value_or(0), kBudgetNanosBounds);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text.substr(0, kQuotedBytesMax)) result += is_printable(c) ? c : '?';
  result += text.size() > kQuotedBytesMax ? "...\"" : "\"";
  return result;
}

std::optional<int64_t> parse_amount(std::string_view text) {
  const size_t point = text.find('.');
  if (point != std::string_view::npos && text.size() - point - 1 > kAmountPlacesMax) {
    return std::nullopt;
  }
  return parse_usd(text);
}

std::optional<int64_t> parse_budget(std::string_view text) {
  if (text.starts_with('-')) return std::nullopt;
  const auto nanos = parse_amount(text);
  return nanos && kBudgetNanosBounds.hold(*nanos) ? nanos : std::nullopt;
}

StoreResult<void> check_organization_name(std::string_view name) {
  if (name.empty() || name.size() > kOrganizationNameBytesMax ||
      !std::ranges::all_of(name, is_name_character)) {
    return invalid("organization name " + quoted(name) +
                   ": 1 to 64 of letters, digits, '-', '_' and '.'");
  }
  // It would hide another organization from find_organization.
  if (has_form_of_id(name)) {
    return invalid("organization name " + quoted(name) + ": has the form of an id");
  }
  return {};
}

StoreResult<void> check_change(const OrganizationChange& change) {
  // A limit that goes back to the gateway's flag has no number.
  if (change.requests_per_second && *change.requests_per_second) {
    auto done =
        check_bounds("requests per second", **change.requests_per_second, kRequestsPerSecondBounds);
    if (!done) return done;
  }
  if (change.race_slots && *change.race_slots) {
    return check_bounds("race slots", **change.race_slots, kRaceSlotsBounds);
  }
  return {};
}

StoreResult<void> check_key(const Key& key) {
  if (key.name.size() > kKeyNameBytesMax || !std::ranges::all_of(key.name, is_printable)) {
    return invalid("key name " + quoted(key.name) + ": at most 64 printable ASCII characters");
  }
  if (key.shown.size() > kShownBytesMax || !std::ranges::all_of(key.shown, is_visible)) {
    return invalid("what is shown of a key: at most 32 visible ASCII characters");
  }
  if (key.start_within.size() > kStartWithinBytesMax ||
      !std::ranges::all_of(key.start_within, is_visible)) {
    return invalid("start_within " + quoted(key.start_within) +
                   ": at most 32 visible ASCII characters");
  }
  if (!within(key.expires_at_s)) return invalid("a key cannot expire before 1970");
  if (auto done = check_limits(key); !done) return done;
  if (key.models.size() > kModelPatternsMax) return invalid("more than 100 models for one key");
  for (const std::string& pattern : key.models) {
    if (auto done = check_pattern(pattern); !done) return done;
  }
  return {};
}

StoreResult<void> check_provider_key(const SealedProviderKey& key) {
  if (std::ranges::find(kProviders, key.provider) == std::end(kProviders)) {
    return invalid("provider " + quoted(key.provider) + ": openai, gemini or anthropic");
  }
  if (key.secret_id.empty() || key.secret_id.size() > kSecretIdBytesMax ||
      !std::ranges::all_of(key.secret_id, is_visible)) {
    return invalid("the id of a secret: 1 to 64 visible ASCII characters");
  }
  if (key.sealed.empty() || key.sealed.size() > kSealedBytesMax) {
    return invalid("a sealed provider key: 1 to 4096 bytes");
  }
  if (key.shown.size() > kShownBytesMax || !std::ranges::all_of(key.shown, is_visible)) {
    return invalid("what is shown of a provider key: at most 32 visible ASCII characters");
  }
  return {};
}

StoreResult<void> check_model(const Model& model) {
  if (model.name.ends_with('*')) {
    return invalid("model " + quoted(model.name) + ": the name of one model, not a pattern");
  }
  if (auto done = check_bounds("seconds to retry after", model.retry_after_s, kRetryAfterBounds);
      !done) {
    return done;
  }
  return check_pattern(model.name);
}

StoreResult<void> check_usage(const UsageRow& row) {
  for (const std::string* text :
       {&row.model, &row.provider, &row.tier_asked, &row.tier_served, &row.reason}) {
    if (text->size() > kUsageTextBytesMax) return invalid("a text of the usage over 512 bytes");
  }
  const UsageCounts& counts = row.counts;
  for (const int64_t count :
       {counts.requests, counts.errors, counts.client_closed, counts.input_tokens,
        counts.cached_tokens, counts.cache_write_tokens, counts.output_tokens,
        counts.reasoning_tokens, counts.unpriced, counts.cost_nanos, counts.standard_nanos,
        counts.possible_double_bills, counts.drawn_nanos}) {
    if (!within(count)) return invalid("a negative count in the usage");
  }
  return {};
}

StoreResult<void> check_use(const KeyUse& use) {
  if (!within(use.last_used_at_s) || !within(use.requests) || !within(use.nanos)) {
    return invalid("a negative count in the use of a key");
  }
  return {};
}

}  // namespace flexd::store
