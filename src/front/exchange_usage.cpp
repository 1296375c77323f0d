// exchange_usage.cpp: what a request has used and what that costs: for the usage that the store
// keeps, the key's budget, the organization's credit, and the field that tells the caller.
#include <algorithm>
#include <charconv>

#include "exchange.hpp"
#include "flexd/account/gates.hpp"
#include "flexd/account/prices.hpp"
#include "flexd/account/usage.hpp"
#include "worker.hpp"

namespace flexd::front {
namespace {

// to_count: no provider counts that far, but the numbers are somebody else's.
int64_t to_count(uint64_t number) {
  return static_cast<int64_t>(std::min<uint64_t>(number, INT64_MAX));
}

std::string_view asked_word(const surface::StartWithin& start_within) {
  switch (start_within.kind) {
    case surface::StartWithin::Kind::standard:
      return "default";
    case surface::StartWithin::Kind::priority:
      return "priority";
    case surface::StartWithin::Kind::automatic:
      return "auto";
    case surface::StartWithin::Kind::duration:
      return "flex";
  }
  return "";
}

}  // namespace

// final_usage is what the provider says at the end of its answer to have used; nullptr before that,
// or if it says nothing. What it says earlier (Anthropic does) is not all.
const surface::Usage* Exchange::final_usage() const {
  const Leg* const leg = answering_leg_;
  if (leg == nullptr || !leg->facts().usage().known) return nullptr;
  const bool is_final = leg->is_stream() ? leg->has_terminal() : leg->ended();
  return is_final ? &leg->facts().usage() : nullptr;
}

// served_tier is the tier in the provider's word: of its answer, else of what it was asked for.
std::string_view Exchange::served_tier(const Leg& leg) const {
  const std::string_view reported = leg.facts().service_tier();
  return reported.empty() ? surface::tier_word(provider(), tier_of(leg)) : reported;
}

// bill prices the final usage, once.
const Exchange::Bill& Exchange::bill() {
  if (!bill_ && final_usage() != nullptr) bill_ = make_bill(*final_usage());
  static constexpr Bill kNone;
  return bill_ ? *bill_ : kNone;
}

Exchange::Bill Exchange::make_bill(const surface::Usage& usage) const {
  const account::Prices* const prices = worker_.shared().prices;
  if (prices == nullptr) return {};
  const account::TokenCounts tokens{.input = usage.input_tokens,
                                    .cached = usage.cached_tokens,
                                    .cache_write = usage.cache_write_tokens,
                                    .output = usage.output_tokens};
  const auto tier = account::price_tier(served_tier(*answering_leg_));
  const auto cost = tier ? prices->cost(facts_.model, *tier, tokens) : std::nullopt;
  if (!cost) {
    // A caller chooses tier and length: limits in dollars must not end where the list does.
    return {.charged_nanos = prices->substitute_cost(facts_.model, tokens).value_or(0)};
  }
  Bill bill{.priced = true, .nanos = *cost, .standard_nanos = *cost, .charged_nanos = *cost};
  if (*tier != account::PriceTier::standard) {
    const auto standard = prices->cost(facts_.model, account::PriceTier::standard, tokens);
    bill.standard_nanos = standard.value_or(*cost);
  }
  return bill;
}

// usage_model is the model's name as usage keeps it. A name that no provider has answered to well
// and no list knows is one of the caller's making. An answer that came whole was a good one, also
// where it could not be passed on.
std::string_view Exchange::usage_model() const {
  const std::string_view model = facts_.model;
  const bool came = final_usage() != nullptr && answering_leg_->status() == 200 &&
                    answering_leg_->final_status() <= 200 && !answering_leg_->failed();
  const bool answered =
      came || (outcome_ == metrics::Outcome::ok && answer_status_ >= 200 && answer_status_ < 300);
  if (model.empty() || answered) return model;
  const account::Prices* const prices = worker_.shared().prices;
  const bool known = worker_.shared().flex_models->has(model) ||
                     (prices != nullptr && prices->knows(model)) ||
                     lease_->snapshot->model(model) != nullptr;
  return known ? model : account::kOtherModel;
}

// count_usage notes the request, once, when it has ended and no attempt of it goes on.
void Exchange::count_usage() {
  if (usage_counted_ || !logged_ || key_ == nullptr) return;
  usage_counted_ = true;
  count_broken_legs();
  const surface::Usage* const usage = final_usage();
  const bool answered =
      answering_leg_ != nullptr && (usage != nullptr || outcome_ != metrics::Outcome::own_error);
  account::UsageEntry entry{.organization = organization_->number,
                            .key = key_->number,
                            .unix_s = (routed_ ? admitted_ : clock()).unix_s,
                            .model = usage_model(),
                            .counts_for_budget = routed_};
  if (checked_) entry.tier_asked = asked_word(facts_.start_within);
  if (routed_) entry.provider = errors::provider_word(provider());
  if (answered) entry.tier_served = served_tier(*answering_leg_);
  if (had_reason_) entry.reason = race::reason_word(reason_);
  store::UsageCounts& counts = entry.counts;
  counts.requests = 1;
  counts.client_closed = outcome_ == metrics::Outcome::client_closed ? 1 : 0;
  counts.errors =
      outcome_ != metrics::Outcome::ok && outcome_ != metrics::Outcome::client_closed ? 1 : 0;
  counts.possible_double_bills = possible_double_bills_;
  if (usage != nullptr) {
    count_tokens(*usage, counts);
    entry.budget_nanos = to_count(bill().charged_nanos);
  }
  worker_.count_usage(entry);
}

void Exchange::count_tokens(const surface::Usage& usage, store::UsageCounts& counts) {
  metrics::Core& metrics = worker_.metrics();
  const auto count = [&metrics](uint64_t number, metrics::TokenKind kind) {
    metrics.add(metrics::Counter::tokens, metrics::at(kind), number);
    return to_count(number);
  };
  counts.input_tokens = count(usage.input_tokens, metrics::TokenKind::input);
  counts.cached_tokens = count(usage.cached_tokens, metrics::TokenKind::cached);
  counts.cache_write_tokens = count(usage.cache_write_tokens, metrics::TokenKind::cache_write);
  counts.output_tokens = count(usage.output_tokens, metrics::TokenKind::output);
  counts.reasoning_tokens = count(usage.reasoning_tokens, metrics::TokenKind::reasoning);
  const Bill& due = bill();
  if (organization_->prepaid) counts.drawn_nanos = to_count(due.charged_nanos);
  account::charge(*key_, *organization_, due.charged_nanos, admitted_, clock());
  if (!due.priced) {
    counts.unpriced = usage.input_tokens != 0 || usage.output_tokens != 0 ? 1 : 0;
    return;
  }
  counts.cost_nanos = to_count(due.nanos);
  counts.standard_nanos = to_count(due.standard_nanos);
  metrics.add(metrics::Counter::list_cost_nanodollars, due.nanos);
  if (due.standard_nanos > due.nanos) {
    metrics.add(metrics::Counter::saved_nanodollars, due.standard_nanos - due.nanos);
  }
}

// push_cost tells the caller what the answer costs, where that is known while the head is made.
void Exchange::push_cost(CostText& space, http::FieldList& fields) {
  const Bill& due = bill();
  if (!due.priced) return;
  const std::string_view text = write_dollars(due.nanos, space);
  discard(fields.push("x-flexinference-cost", text), "far below the list's bound");
}

std::string_view write_dollars(uint64_t nanos, CostText& space) {
  constexpr uint64_t kNanosPerDollar = store::kNanosPerDollar;
  constexpr size_t kDecimals = 9;
  constexpr size_t kDecimalsMin = 2;
  char* at = std::to_chars(space.data(), space.data() + space.size(), nanos / kNanosPerDollar).ptr;
  *at++ = '.';
  uint64_t rest = nanos % kNanosPerDollar;
  for (size_t digit = kDecimals; digit > 0; --digit, rest /= 10) {
    at[digit - 1] = static_cast<char>('0' + rest % 10);
  }
  size_t decimals = kDecimals;
  while (decimals > kDecimalsMin && at[decimals - 1] == '0') --decimals;
  return {space.data(), static_cast<size_t>(at - space.data()) + decimals};
}

}  // namespace flexd::front
