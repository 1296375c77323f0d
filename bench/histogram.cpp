#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace flexd::bench {

std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < kSubCount) return static_cast<std::size_t>(value);
  const auto top_bit = static_cast<unsigned>(std::bit_width(value)) - 1;
  const unsigned shift = top_bit - kSubBits;
  const auto sub = static_cast<std::size_t>(value >> shift) & (kSubCount - 1);
  return (shift + 1) * kSubCount + sub;
}

std::uint64_t Histogram::bucket_last(std::size_t bucket) {
  if (bucket < kSubCount) return bucket;
  const std::size_t shift = bucket / kSubCount - 1;
  const std::uint64_t first = (kSubCount + bucket % kSubCount) << shift;
  return first + ((std::uint64_t{1} << shift) - 1);
}

void Histogram::record_many(std::uint64_t value, std::uint64_t times) {
  if (times == 0) return;
  buckets_[bucket_of(value)] += times;
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value) * static_cast<double>(times);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBucketCount; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(bucket_last(i), max_);
  }
  return max_;
}

}  // namespace flexd::bench
