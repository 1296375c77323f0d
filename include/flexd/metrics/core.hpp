// core.hpp: one worker's metrics.
//
// A Core belongs to one thread, which alone writes it; any thread may read it. Writes are relaxed
// loads and stores, without a locked instruction and without a cache line shared between workers. A
// reader sees each number whole, but not all numbers of one moment.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "flexd/base/assert.hpp"
#include "flexd/metrics/catalog.hpp"

namespace flexd::metrics {

// Series picks one series of a labelled family: an index into the values of each label.
struct Series {
  std::array<uint8_t, kLabelsMax> at{};
};

// at makes a Series from label enums (or plain indices), in the order of the family's labels:
// core.add(Counter::requests, at(Outcome::ok, Reason::flex_won)).
template <typename... Values>
constexpr Series at(Values... values) {
  static_assert(sizeof...(Values) <= kLabelsMax);
  return Series{{static_cast<uint8_t>(values)...}};
}

namespace detail {

// offsets_of gives each family's first slot, and last the number of slots.
template <size_t Count>
constexpr std::array<size_t, Count + 1> offsets_of(const std::array<Family, Count>& families) {
  std::array<size_t, Count + 1> offsets{};
  for (size_t i = 0; i < Count; ++i) offsets[i + 1] = offsets[i] + families[i].series_count();
  return offsets;
}

inline constexpr auto kCounterOffsets = offsets_of(kCounters);
inline constexpr auto kGaugeOffsets = offsets_of(kGauges);
inline constexpr auto kHistogramOffsets = offsets_of(kHistograms);

// series_index is the slot of `series` inside its family.
constexpr size_t series_index(const Family& family, const Series& series) {
  size_t index = 0;
  for (size_t i = 0; i < kLabelsMax; ++i) {
    if (family.labels[i].name.empty()) {
      FLEXD_ASSERT(series.at[i] == 0);
      continue;
    }
    FLEXD_ASSERT(series.at[i] < family.labels[i].values.size());
    index = index * family.labels[i].values.size() + series.at[i];
  }
  return index;
}

}  // namespace detail

// kBucketCount counts the buckets of a histogram with the one for +Inf.
inline constexpr size_t kBucketCount = kBucketsNs.size() + 1;

class alignas(64) Core {
 public:
  Core() = default;
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // add raises a counter by `count`.
  void add(Counter counter, uint64_t count = 1) { add(counter, Series{}, count); }
  void add(Counter counter, Series series, uint64_t count = 1) {
    raise(counters_[slot(counter, series)], count);
  }
  // set gives a gauge its value; change moves it by `delta`.
  void set(Gauge gauge, int64_t value) { set(gauge, Series{}, value); }
  void set(Gauge gauge, Series series, int64_t value) {
    gauges_[slot(gauge, series)].store(value, std::memory_order_relaxed);
  }
  void change(Gauge gauge, int64_t delta) { change(gauge, Series{}, delta); }
  void change(Gauge gauge, Series series, int64_t delta) {
    std::atomic<int64_t>& value = gauges_[slot(gauge, series)];
    value.store(value.load(std::memory_order_relaxed) + delta, std::memory_order_relaxed);
  }
  // observe puts a time of `duration_ns` into a histogram.
  void observe(Histogram histogram, uint64_t duration_ns) {
    observe(histogram, Series{}, duration_ns);
  }
  void observe(Histogram histogram, Series series, uint64_t duration_ns);

  uint64_t value(Counter counter, Series series = {}) const {
    return counters_[slot(counter, series)].load(std::memory_order_relaxed);
  }
  int64_t value(Gauge gauge, Series series = {}) const {
    return gauges_[slot(gauge, series)].load(std::memory_order_relaxed);
  }
  // bucket is how many times fell into bucket `index` alone (not cumulated); sum_ns is their sum.
  uint64_t bucket(Histogram histogram, Series series, size_t index) const {
    return histograms_[slot(histogram, series)].buckets[index].load(std::memory_order_relaxed);
  }
  uint64_t sum_ns(Histogram histogram, Series series = {}) const {
    return histograms_[slot(histogram, series)].sum_ns.load(std::memory_order_relaxed);
  }

 private:
  struct Distribution {
    std::array<std::atomic<uint64_t>, kBucketCount> buckets{};
    std::atomic<uint64_t> sum_ns{0};
  };
  static void raise(std::atomic<uint64_t>& value, uint64_t count) {
    value.store(value.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  static size_t slot(Counter counter, Series series) {
    const auto family = static_cast<size_t>(counter);
    return detail::kCounterOffsets[family] + detail::series_index(kCounters[family], series);
  }
  static size_t slot(Gauge gauge, Series series) {
    const auto family = static_cast<size_t>(gauge);
    return detail::kGaugeOffsets[family] + detail::series_index(kGauges[family], series);
  }
  static size_t slot(Histogram histogram, Series series) {
    const auto family = static_cast<size_t>(histogram);
    return detail::kHistogramOffsets[family] + detail::series_index(kHistograms[family], series);
  }

  std::array<std::atomic<uint64_t>, detail::kCounterOffsets.back()> counters_{};
  std::array<std::atomic<int64_t>, detail::kGaugeOffsets.back()> gauges_{};
  std::array<Distribution, detail::kHistogramOffsets.back()> histograms_{};
};

}  // namespace flexd::metrics
