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

// Slots are those of a family: where they begin, and how many values each label has; 1 for none.
struct Slots {
  size_t begin = 0;
  std::array<size_t, kLabelsMax> counts{};
};

// slots_of gives each family's slots, and last where they end.
template <size_t Count>
constexpr std::array<Slots, Count + 1> slots_of(const std::array<Family, Count>& families) {
  std::array<Slots, Count + 1> slots{};
  for (size_t i = 0; i < Count; ++i) {
    const Family& family = families[i];
    for (size_t label = 0; label < kLabelsMax; ++label) {
      const Label& one = family.labels[label];
      slots[i].counts[label] = one.name.empty() ? 1 : one.values.size();
    }
    slots[i + 1].begin = slots[i].begin + family.series_count();
  }
  return slots;
}

inline constexpr auto kCounterSlots = slots_of(kCounters);
inline constexpr auto kGaugeSlots = slots_of(kGauges);
inline constexpr auto kHistogramSlots = slots_of(kHistograms);

// slot_of is the slot of `series`. Without a loop: of a family that is known to the compiler next
// to nothing of it remains.
constexpr size_t slot_of(const Slots& slots, const Series& series) {
  static_assert(kLabelsMax == 3);
  const auto& [first, second, third] = series.at;
  const auto& counts = slots.counts;
  FLEXD_ASSERT(first < counts[0] && second < counts[1] && third < counts[2]);
  return slots.begin + (first * counts[1] + second) * counts[2] + third;
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
  void observe(Histogram histogram, Series series, uint64_t duration_ns) {
    observe(histograms_[slot(histogram, series)], duration_ns);
  }

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
  static void observe(Distribution& distribution, uint64_t duration_ns);
  static void raise(std::atomic<uint64_t>& value, uint64_t count) {
    value.store(value.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  static size_t slot(Counter counter, Series series) {
    return detail::slot_of(detail::kCounterSlots[static_cast<size_t>(counter)], series);
  }
  static size_t slot(Gauge gauge, Series series) {
    return detail::slot_of(detail::kGaugeSlots[static_cast<size_t>(gauge)], series);
  }
  static size_t slot(Histogram histogram, Series series) {
    return detail::slot_of(detail::kHistogramSlots[static_cast<size_t>(histogram)], series);
  }

  std::array<std::atomic<uint64_t>, detail::kCounterSlots.back().begin> counters_{};
  std::array<std::atomic<int64_t>, detail::kGaugeSlots.back().begin> gauges_{};
  std::array<Distribution, detail::kHistogramSlots.back().begin> histograms_{};
};

}  // namespace flexd::metrics
