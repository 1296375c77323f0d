#include "flexd/account/authenticate.hpp"

namespace flexd::account {
namespace {

using errors::Code;
using errors::Error;
using errors::Variant;
using metrics::AuthFailure;

void count(metrics::Core* metrics, AuthFailure cause) {
  if (metrics != nullptr) metrics->add(metrics::Counter::auth_failures, metrics::at(cause));
}

void count(metrics::Core* metrics, metrics::Limit limit) {
  if (metrics != nullptr) metrics->add(metrics::Counter::limited, metrics::at(limit));
}

// rejected is the answer to a key that nobody holds.
Error rejected(const Caller& caller, AuthFailures& failures, Clock clock, AuthFailure cause,
               metrics::Core* metrics) {
  count(metrics, cause);
  if (!failures.record_failure(caller.ip, clock.monotonic_ns)) return {Code::invalid_api_key};
  count(metrics, metrics::Limit::failed_authentications);
  return {Code::rate_limit_exceeded, Variant::failed_authentications};
}

}  // namespace

Result<const KeyRecord*, Error> authenticate(const Caller& caller, const Snapshot& snapshot,
                                             AuthFailures& failures, Clock clock,
                                             metrics::Core* metrics) {
  const PresentedKey presented = presented_key(caller.credentials, caller.dialect);
  switch (presented.what) {
    case Presented::missing:
    case Presented::malformed:
      count(metrics, AuthFailure::missing);
      return fail(Error{Code::missing_api_key});
    case Presented::wrong_shape:
      return fail(rejected(caller, failures, clock, AuthFailure::shape, metrics));
    case Presented::inference:
    case Presented::management:
      break;
  }
  const KeyRecord* key = snapshot.lookup(key_digest(presented.key));
  if (key == nullptr) {
    return fail(rejected(caller, failures, clock, AuthFailure::unknown, metrics));
  }
  if (key->kind != caller.wanted) {
    count(metrics, AuthFailure::wrong_type);
    return fail(Error{Code::wrong_key_type});
  }
  if (key->expires_at_s != 0 && clock.unix_s >= key->expires_at_s) {
    count(metrics, AuthFailure::expired);
    return fail(Error{Code::expired_api_key});
  }
  if (key->deactivated) {
    count(metrics, AuthFailure::deactivated);
    return fail(Error{Code::key_deactivated});
  }
  return key;
}

Result<void, Error> admit(const Organization& organization, uint64_t now_ns,
                          metrics::Core* metrics) {
  if (organization.cells->requests.admit(now_ns, organization.requests)) return {};
  count(metrics, metrics::Limit::organization);
  return fail(Error{Code::rate_limit_exceeded});
}

}  // namespace flexd::account
