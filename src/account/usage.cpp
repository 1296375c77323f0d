#include "flexd/account/usage.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "flexd/base/assert.hpp"
#include "flexd/crypto/bytes.hpp"

namespace flexd::account {
namespace {

// kWordBytes bounds the words that are not the model: each is one of a short list, but for the tier
// a provider reports.
constexpr size_t kWordBytes = kUsageTierBytes;
constexpr size_t kAllRows =
    UsageTable::kRowsMax + UsageTable::kSpareRows + UsageTable::kKeylessRows + 1;
constexpr int64_t kDaySeconds = 86'400;

// clip is the front of `text`, at most `count_max` bytes, not cut inside a UTF-8 sequence.
std::string_view clip(std::string_view text, size_t count_max) {
  if (text.size() <= count_max) return text;
  size_t count = count_max;
  while (count > 0 && (static_cast<uint8_t>(text[count]) & 0xC0U) == 0x80U) --count;
  return text.substr(0, count);
}

// Text is a short string in place.
template <size_t BytesMax>
class Text {
 public:
  explicit Text(std::string_view text) : size_(static_cast<uint8_t>(text.size())) {
    static_assert(BytesMax <= UINT8_MAX);
    FLEXD_ASSERT(text.size() <= BytesMax);
    std::copy(text.begin(), text.end(), bytes_.begin());
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, BytesMax> bytes_;
  uint8_t size_;
};

// sum_of stays at the largest number. Neither is negative.
int64_t sum_of(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

// mix is the finalizer of splitmix64.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

uint64_t mix_text(uint64_t hash, std::string_view text) {
  hash = mix(hash + text.size());
  while (!text.empty()) {
    uint64_t word = 0;
    const size_t count = std::min(text.size(), sizeof(word));
    std::memcpy(&word, text.data(), count);
    hash = mix(hash ^ word);
    text.remove_prefix(count);
  }
  return hash;
}

}  // namespace

// Place is what tells rows apart; the texts are of the row's sizes already.
struct UsageTable::Place {
  store::Number organization = 0;
  store::Number key = 0;
  int32_t day = 0;
  std::string_view model;
  std::string_view provider;
  std::string_view tier_asked;
  std::string_view tier_served;
  std::string_view reason;

  explicit Place(const UsageEntry& entry)
      : organization(entry.organization),
        key(entry.key),
        day(store::day_of(static_cast<int64_t>(entry.unix_s))),
        model(clip(entry.model, kUsageModelBytes)),
        provider(clip(entry.provider, kWordBytes)),
        tier_asked(clip(entry.tier_asked, kWordBytes)),
        tier_served(clip(entry.tier_served, kWordBytes)),
        reason(clip(entry.reason, kWordBytes)) {}

  uint64_t hash(uint64_t seed) const {
    uint64_t hash = mix(seed ^ static_cast<uint64_t>(organization));
    hash = mix(hash ^ static_cast<uint64_t>(key));
    hash = mix(hash ^ static_cast<uint64_t>(day));
    for (const std::string_view text : {model, provider, tier_asked, tier_served, reason}) {
      hash = mix_text(hash, text);
    }
    return hash;
  }
};

struct UsageTable::Row {
  uint64_t hash;
  store::Number organization;
  store::Number key;
  int32_t day;
  Text<kUsageModelBytes> model;
  Text<kWordBytes> provider;
  Text<kWordBytes> tier_asked;
  Text<kWordBytes> tier_served;
  Text<kWordBytes> reason;
  int64_t last_at_s = 0;
  int64_t budget_requests = 0;
  int64_t budget_nanos = 0;
  store::UsageCounts counts{};

  Row(const Place& place, uint64_t place_hash)
      : hash(place_hash),
        organization(place.organization),
        key(place.key),
        day(place.day),
        model(place.model),
        provider(place.provider),
        tier_asked(place.tier_asked),
        tier_served(place.tier_served),
        reason(place.reason) {}

  bool is_at(const Place& place) const {
    return organization == place.organization && key == place.key && day == place.day &&
           model.view() == place.model && provider.view() == place.provider &&
           tier_asked.view() == place.tier_asked && tier_served.view() == place.tier_served &&
           reason.view() == place.reason;
  }
  void add(const UsageEntry& entry) {
    last_at_s = std::max(last_at_s, static_cast<int64_t>(entry.unix_s));
    budget_requests += entry.counts_for_budget ? entry.counts.requests : 0;
    budget_nanos = sum_of(budget_nanos, entry.budget_nanos);
    counts += entry.counts;
  }
  store::UsageRow to_store() const {
    return {.organization = organization,
            .key = key,
            .day = day,
            .model = std::string(model.view()),
            .provider = std::string(provider.view()),
            .tier_asked = std::string(tier_asked.view()),
            .tier_served = std::string(tier_served.view()),
            .reason = std::string(reason.view()),
            .counts = counts};
  }
};

// The seed keeps a caller, who chooses the names of models, from choosing places that collide.
UsageTable::UsageTable() : slots_(std::bit_ceil(2 * kAllRows)) {
  rows_.reserve(kAllRows);  // memory that no row has used yet stays untouched
  std::array<uint8_t, sizeof(seed_)> random;
  crypto::random_bytes(random);
  std::memcpy(&seed_, random.data(), sizeof(seed_));
}

UsageTable::~UsageTable() = default;

UsageTable::Row* UsageTable::find_or_make(const Place& place, size_t rows_max) {
  const uint64_t hash = place.hash(seed_);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    Row& row = rows_[slots_[at] - 1];
    if (row.hash == hash && row.is_at(place)) return &row;
  }
  if (rows_.size() >= rows_max) return nullptr;
  rows_.emplace_back(place, hash);
  slots_[at] = static_cast<uint32_t>(rows_.size());
  return &rows_.back();
}

void UsageTable::add(const UsageEntry& entry) {
  Place place(entry);
  Row* row = find_or_make(place, kRowsMax);
  if (row == nullptr) {
    place.model = kOtherModel;
    row = find_or_make(place, kRowsMax + kSpareRows);
  }
  if (row == nullptr) {
    place.key = 0;
    row = find_or_make(place, kRowsMax + kSpareRows + kKeylessRows);
  }
  if (row == nullptr) {
    // The last row is for whatever is left, of the day on which it came to that.
    if (rows_.size() < kAllRows) {
      UsageEntry nobody;
      nobody.unix_s = entry.unix_s;
      nobody.model = kOtherModel;
      rows_.emplace_back(Place(nobody), 0);
    }
    row = &rows_.back();
  }
  row->add(entry);
}

bool UsageTable::empty() const {
  return rows_.empty();
}

bool UsageTable::is_crowded() const {
  return rows_.size() >= kRowsMax / 4 * 3;
}

void UsageTable::take(std::vector<store::UsageRow>& rows, std::vector<store::KeyUse>& uses) {
  if (rows_.empty()) return;
  // By key and month, so that of one key the earlier month comes first.
  std::map<std::pair<store::Number, int32_t>, store::KeyUse> by_key;
  rows.reserve(rows.size() + rows_.size());
  for (const Row& row : rows_) {
    rows.push_back(row.to_store());
    if (row.key == 0) continue;
    const int32_t month = store::month_of(row.day * kDaySeconds);
    store::KeyUse& use = by_key[{row.key, month}];
    use.key = row.key;
    use.month = month;
    use.last_used_at_s = std::max(use.last_used_at_s, row.last_at_s);
    use.requests += row.budget_requests;
    use.nanos = sum_of(use.nanos, row.budget_nanos);
  }
  for (const auto& [at, use] : by_key) uses.push_back(use);
  rows_.clear();
  std::ranges::fill(slots_, 0U);
}

}  // namespace flexd::account
