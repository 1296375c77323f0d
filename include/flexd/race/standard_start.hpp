// standard_start.hpp: how long the standard attempts of each model take to start, as observed by
// one worker: what `--standard-lead auto` opens the standard attempt early by.
//
// A bounded table by the hash of the model's name, each entry with its last kSamples start times.
// The models seen longest ago make room for new ones. Not thread-safe: one table a worker, about
// 140 KB, allocated with its owner. Pure: times come in as arguments.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flexd::race {

class StandardStarts {
 public:
  static constexpr size_t kModelsMax = 256;
  static constexpr size_t kSamples = 128;
  // kSamplesMin observations have to be there before the table says anything.
  static constexpr size_t kSamplesMin = 20;

  // record notes that a standard attempt of `model` started `duration_ns` after it was sent.
  void record(std::string_view model, uint64_t duration_ns);
  // lead_ns is the 95th percentile (nearest rank) of the model's last kSamples start times, rounded
  // up to a millisecond; 0 until kSamplesMin have been seen.
  uint64_t lead_ns(std::string_view model) const;

 private:
  // A model may stand in any of the kWays entries of its set.
  static constexpr size_t kWays = 8;
  static constexpr size_t kSets = kModelsMax / kWays;

  struct Entry {
    uint64_t hash = 0;  // 0: free
    uint64_t used = 0;  // when it was last recorded to, by `clock_`
    uint32_t p95_ms = 0;
    uint32_t seen = 0;  // how many samples are held
    uint32_t next = 0;  // where the next one goes
    std::array<uint32_t, kSamples> samples_ms{};
  };

  static uint64_t hash_of(std::string_view model);

  std::array<Entry, kModelsMax> entries_{};
  uint64_t clock_ = 0;
};

}  // namespace flexd::race
