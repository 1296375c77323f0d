// histogram.hpp: counts durations in buckets of at most 0.8 % width, from 1 ns to the whole range
// of 64 bits, in fixed memory (58 KB) and with one increment a value.
//
// The layout is log-linear, as in Gil Tene's HdrHistogram: values below 128 have a bucket each, and
// every following power of two is cut into 128 equal buckets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace flexd::bench {

// Histogram is not safe for use by several threads at once.
class Histogram {
 public:
  // kSubBits is the base-two logarithm of the buckets in one power of two.
  static constexpr unsigned kSubBits = 7;
  static constexpr std::size_t kSubCount = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBucketCount = (64 - kSubBits + 1) * kSubCount;

  // record counts one value.
  void record(std::uint64_t value) { record_many(value, 1); }

  // record_many counts `times` equal values.
  void record_many(std::uint64_t value, std::uint64_t times);

  // merge adds what `other` holds.
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // min, max and mean are exact; all are 0 while nothing has been recorded.
  [[nodiscard]] std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const;

  // percentile returns the smallest bucket edge that at least `percent` (0 to 100) of the values do
  // not exceed: never below the true percentile, never above the largest recorded value.
  [[nodiscard]] std::uint64_t percentile(double percent) const;

  // bucket_of and bucket_last give a value's bucket and the largest value of a bucket.
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value);
  [[nodiscard]] static std::uint64_t bucket_last(std::size_t bucket);

 private:
  std::array<std::uint64_t, kBucketCount> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace flexd::bench
