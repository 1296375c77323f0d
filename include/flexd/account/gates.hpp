// gates.hpp: what a known caller may do now: its key's ceiling, models and budgets, its
// organization's billing and credit.
//
// Each gate is a few loads, and a compare-and-swap where it counts; none allocates or locks. The
// order in which they are asked is part of the contract (front/exchange_checks.cpp).
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/account/authenticate.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/result.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/metrics/core.hpp"

namespace flexd::account {

// admit_key counts a request against its key's ceiling of requests per minute. For a key without
// one, everything is admitted and nothing is known. The error of a request that is not admitted is
// rate_limit_exceeded, variant key_ceiling, with Retry-After until the window resets.
Window admit_key(const KeyRecord& key, Clock clock, metrics::Core* metrics);

// allows_model: the key's list has the model. An empty list has every model.
bool allows_model(const KeyRecord& key, std::string_view model);

// Spending is what a request is about to do.
struct Spending {
  bool duration = false;  // start_within is a duration
  bool priced = false;    // its model has a price
};

// check_money is the last of the checks: billing (durations only: payment_required), the key's
// monthly budgets (quota_exceeded), the organization's credit (insufficient_balance, for priced
// models). A request that passes has been counted against the budget of requests.
Result<void, errors::Error> check_money(const KeyRecord& key, const Organization& organization,
                                        Spending spending, Clock clock, metrics::Core* metrics);

// charge counts what an answer cost against the key's budget and, where the organization prepays,
// its credit. The request under way when a limit is met is served in full; its cost counts, in the
// month in which it was admitted: where that is over now, against no budget any more.
void charge(const KeyRecord& key, const Organization& organization, uint64_t nanos, Clock admitted,
            Clock now);

}  // namespace flexd::account
