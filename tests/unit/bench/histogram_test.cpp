#include "histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using flexd::bench::Histogram;

TEST_CASE("histogram: buckets are contiguous and cover every value") {
  for (std::size_t bucket = 0; bucket + 1 < Histogram::kBucketCount; ++bucket) {
    const std::uint64_t last = Histogram::bucket_last(bucket);
    REQUIRE(Histogram::bucket_of(last) == bucket);
    REQUIRE(Histogram::bucket_of(last + 1) == bucket + 1);
  }
  CHECK(Histogram::bucket_last(Histogram::kBucketCount - 1) == UINT64_MAX);
  CHECK(Histogram::bucket_of(UINT64_MAX) == Histogram::kBucketCount - 1);
}

TEST_CASE("histogram: percentiles are within 0.8 % above the exact ones") {
  constexpr unsigned kSeed = 20261;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  std::lognormal_distribution<double> shape(11, 2);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<std::uint64_t>(shape(random)));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 20000)) - 1;
    const std::uint64_t exact = values[rank];
    const std::uint64_t got = histogram.percentile(percent);
    CAPTURE(percent);
    CHECK(got >= exact);
    CHECK(static_cast<double>(got) <= static_cast<double>(exact) * 1.008 + 1);
  }
  CHECK(histogram.min() == values.front());
  CHECK(histogram.max() == values.back());
}

TEST_CASE("histogram: empty, repeated and merged values") {
  Histogram histogram;
  CHECK(histogram.percentile(99) == 0);
  CHECK(histogram.min() == 0);
  CHECK(histogram.mean() == 0);
  histogram.record_many(1000, 99);
  histogram.record_many(7, 0);
  Histogram other;
  other.record(5'000'000'000);
  histogram.merge(other);
  CHECK(histogram.count() == 100);
  CHECK(histogram.min() == 1000);
  CHECK(histogram.max() == 5'000'000'000);
  CHECK(histogram.percentile(99) == Histogram::bucket_last(Histogram::bucket_of(1000)));
  CHECK(histogram.percentile(99.5) == 5'000'000'000);
  CHECK(histogram.mean() == doctest::Approx((99 * 1000.0 + 5e9) / 100));
}
