// authenticate.hpp: who sends this request, or which error answers it.
//
// The order is part of the contract: missing or malformed, then (for a key that fails) the flood
// limit of its address, unknown, the wrong kind of key, expired, deactivated. Only keys that nobody
// holds count as failures: a request without a key guesses nothing, and a right key is never
// refused because of its neighbors behind the same address.
#pragma once

#include <cstdint>

#include "flexd/account/auth_failures.hpp"
#include "flexd/account/authorization.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/result.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/metrics/core.hpp"

namespace flexd::account {

// Caller is what authentication looks at.
struct Caller {
  Credentials credentials;
  errors::Dialect dialect = errors::Dialect::responses;
  IpBytes ip{};
  KeyKind wanted = KeyKind::inference;  // the kind that this listener takes
};

// Clock is the time of a request, of both kinds.
struct Clock {
  uint64_t monotonic_ns = 0;
  uint64_t unix_s = 0;
};

// authenticate finds the caller's key in `snapshot`. `metrics` may be null. It does not allocate.
Result<const KeyRecord*, errors::Error> authenticate(const Caller& caller, const Snapshot& snapshot,
                                                     AuthFailures& failures, Clock clock,
                                                     metrics::Core* metrics);

// admit counts a request against its organization's rate; the error is rate_limit_exceeded.
Result<void, errors::Error> admit(const Organization& organization, uint64_t now_ns,
                                  metrics::Core* metrics);

}  // namespace flexd::account
