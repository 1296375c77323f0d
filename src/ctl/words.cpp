#include "words.hpp"

#include <fmt/format.h>

#include "flexd/store/json.hpp"
#include "moment.hpp"
#include "money.hpp"

namespace flexd::ctl {
namespace {

void append_item(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

}  // namespace

KeyState key_state(const store::Key& key, int64_t now_s) {
  if (key.revoked_at_s != 0) return KeyState::revoked;
  if (key.expires_at_s != 0 && key.expires_at_s <= now_s) return KeyState::expired;
  return key.deactivated ? KeyState::deactivated : KeyState::active;
}

std::string_view key_state_word(KeyState state) {
  return kKeyStateWords[static_cast<size_t>(state)];
}

MonthUse month_use(const store::Key& key, int64_t now_s) {
  if (key.month != store::month_of(now_s)) return {};
  return {.requests = key.month_requests, .nanos = key.month_nanos};
}

std::optional<int64_t> balance_nanos(const store::Organization& organization) {
  if (!organization.credit_nanos) return std::nullopt;
  return *organization.credit_nanos - organization.spent_nanos;
}

std::string balance_text(const store::Organization& organization) {
  const auto balance = balance_nanos(organization);
  return balance ? dollars_text(*balance) : "not prepaid";
}

std::string_view billing_word(store::Billing billing) {
  return store::kBillingWords[static_cast<size_t>(billing)];
}

std::string limits_text(const store::Key& key) {
  std::string text;
  if (key.requests_per_minute != 0) {
    append_item(text, fmt::format("{}/min", key.requests_per_minute));
  }
  if (key.budget_requests)
    append_item(text, fmt::format("{} requests/month", *key.budget_requests));
  if (key.budget_nanos)
    append_item(text, fmt::format("${}/month", store::usd_text(*key.budget_nanos)));
  return text;
}

std::string models_text(const store::Key& key) {
  std::string text;
  for (const std::string& model : key.models) append_item(text, model);
  return text.empty() ? "all" : text;
}

std::string count_text(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string time_or(int64_t unix_s, std::string_view otherwise) {
  return unix_s == 0 ? std::string(otherwise) : time_text(unix_s);
}

}  // namespace flexd::ctl
