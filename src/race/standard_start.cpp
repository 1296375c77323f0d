#include "flexd/race/standard_start.hpp"

#include <algorithm>

namespace flexd::race {

namespace {

constexpr uint64_t kMillisecondNs = 1'000'000;

uint32_t to_milliseconds(uint64_t duration_ns) {
  const uint64_t rounded_up =
      duration_ns / kMillisecondNs + (duration_ns % kMillisecondNs == 0 ? 0 : 1);
  return static_cast<uint32_t>(std::min<uint64_t>(rounded_up, UINT32_MAX));
}

// percentile_95 reorders `samples`.
uint32_t percentile_95(uint32_t* samples, size_t count) {
  const size_t rank = (count * 95 + 99) / 100;  // from 1
  std::nth_element(samples, samples + (rank - 1), samples + count);
  return samples[rank - 1];
}

}  // namespace

// FNV-1a, and a last mix so that the low bits choose the set well.
uint64_t StandardStarts::hash_of(std::string_view model) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : model) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 0x100000001b3U;
  }
  hash ^= hash >> 32U;
  return hash == 0 ? 1 : hash;
}

void StandardStarts::record(std::string_view model, uint64_t duration_ns) {
  const uint64_t hash = hash_of(model);
  Entry* const set = &entries_[(hash % kSets) * kWays];
  Entry* entry = std::find_if(set, set + kWays, [hash](const Entry& e) { return e.hash == hash; });
  if (entry == set + kWays) {
    // Free entries have never been used, so they go first.
    entry = std::min_element(set, set + kWays,
                             [](const Entry& a, const Entry& b) { return a.used < b.used; });
    *entry = Entry{};
    entry->hash = hash;
  }
  entry->used = ++clock_;
  entry->samples_ms[entry->next] = to_milliseconds(duration_ns);
  entry->next = (entry->next + 1) % kSamples;
  entry->seen = std::min<uint32_t>(entry->seen + 1, kSamples);
  std::array<uint32_t, kSamples> sorted = entry->samples_ms;
  entry->p95_ms = percentile_95(sorted.data(), entry->seen);
}

uint64_t StandardStarts::lead_ns(std::string_view model) const {
  const uint64_t hash = hash_of(model);
  const Entry* const set = &entries_[(hash % kSets) * kWays];
  const Entry* const entry =
      std::find_if(set, set + kWays, [hash](const Entry& e) { return e.hash == hash; });
  if (entry == set + kWays || entry->seen < kSamplesMin) return 0;
  return entry->p95_ms * kMillisecondNs;
}

}  // namespace flexd::race
