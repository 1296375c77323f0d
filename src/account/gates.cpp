#include "flexd/account/gates.hpp"

#include <algorithm>

namespace flexd::account {
namespace {

using errors::Code;
using errors::Error;
using errors::Variant;

std::unexpected<Error> refuse(metrics::Core* metrics, metrics::Limit limit, Error error) {
  if (metrics != nullptr) metrics->add(metrics::Counter::limited, metrics::at(limit));
  return fail(error);
}

int32_t month_at(Clock clock) {
  return store::month_of(static_cast<int64_t>(clock.unix_s));
}

// is_used_up: nothing of a monthly budget is left.
bool is_used_up(const MonthCell& cell, int32_t month, uint64_t budget) {
  return cell.get(month) >= std::min(budget, MonthCell::kSumMax);
}

bool has_budget(const KeyRecord& key) {
  return key.budget_requests || key.budget_nanos;
}

}  // namespace

Window admit_key(const KeyRecord& key, Clock clock, metrics::Core* metrics) {
  if (key.requests_per_minute == 0) return {};
  const Window window = key.cells->ceiling.admit(clock.unix_s, key.requests_per_minute);
  if (!window.admitted && metrics != nullptr) {
    metrics->add(metrics::Counter::limited, metrics::at(metrics::Limit::key));
  }
  return window;
}

bool allows_model(const KeyRecord& key, std::string_view model) {
  if (key.models.empty()) return true;
  return std::ranges::any_of(key.models, [model](std::string_view allowed) {
    if (!allowed.ends_with('*')) return model == allowed;
    return model.starts_with(allowed.substr(0, allowed.size() - 1));
  });
}

Result<void, Error> check_money(const KeyRecord& key, const Organization& organization,
                                Spending spending, Clock clock, metrics::Core* metrics) {
  if (spending.duration && organization.billing != store::Billing::ok) {
    const bool no_method = organization.billing == store::Billing::no_payment_method;
    return refuse(metrics, metrics::Limit::billing,
                  {Code::payment_required, no_method ? Variant::no_payment_method : Variant::none});
  }
  const int32_t month = has_budget(key) ? month_at(clock) : 0;
  if ((key.budget_requests && is_used_up(key.cells->requests, month, *key.budget_requests)) ||
      (key.budget_nanos && is_used_up(key.cells->nanos, month, *key.budget_nanos))) {
    return refuse(metrics, metrics::Limit::budget, {Code::quota_exceeded});
  }
  if (organization.prepaid && spending.priced &&
      organization.cells->spent.get() >= organization.credit_nanos) {
    return refuse(metrics, metrics::Limit::credit, {Code::insufficient_balance});
  }
  // Counted last, so that a request that is refused has not used the budget. Another worker may
  // have counted the last one since the look above.
  if (key.budget_requests && !key.cells->requests.try_add(month, 1, *key.budget_requests)) {
    return refuse(metrics, metrics::Limit::budget, {Code::quota_exceeded});
  }
  return {};
}

void charge(const KeyRecord& key, const Organization& organization, uint64_t nanos, Clock admitted,
            Clock now) {
  if (key.budget_nanos) {
    const int32_t month = month_at(admitted);
    if (month == month_at(now)) key.cells->nanos.add(month, nanos);
  }
  if (organization.prepaid) organization.cells->spent.add(nanos);
}

}  // namespace flexd::account
