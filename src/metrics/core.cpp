#include "flexd/metrics/core.hpp"

#include <algorithm>

namespace flexd::metrics {

void Core::observe(Distribution& distribution, uint64_t duration_ns) {
  const auto* bound = std::lower_bound(kBucketsNs.begin(), kBucketsNs.end(), duration_ns);
  raise(distribution.buckets[static_cast<size_t>(bound - kBucketsNs.begin())], 1);
  raise(distribution.sum_ns, duration_ns);
}

}  // namespace flexd::metrics
