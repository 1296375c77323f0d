// Whatever a price file holds, it is refused with a line's number or read; what was read says the
// same with its lines in another order, and no count of tokens breaks the arithmetic.
//
// Input: four token counts of 8 bytes, then the file.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/account/prices.hpp"
#include "flexd/base/assert.hpp"

namespace {

using namespace flexd;
using account::Prices;
using account::PriceTier;
using account::TokenCounts;

constexpr PriceTier kTiers[] = {PriceTier::standard, PriceTier::flex, PriceTier::priority};

// backwards is the text with its lines from the last to the first, but the one with the day first.
std::string backwards(std::string_view text, std::string_view as_of) {
  std::string result = "as-of " + std::string(as_of) + "\n";
  bool day_seen = false;
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t eol = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, eol);
    text.remove_prefix(std::min(eol + 1, text.size()));
    const bool says = line.substr(0, line.find('#')).find_first_not_of(" \t\r") != line.npos;
    if (says && day_seen) lines.push_back(line);
    day_seen = day_seen || says;
  }
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    result += std::string(*line) + "\n";
  return result;
}

// first_words are what might be names of models.
std::vector<std::string_view> first_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t eol = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, eol);
    text.remove_prefix(std::min(eol + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    words.push_back(line.substr(0, line.find_first_of(" \t\r#")));
  }
  return words;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t counts[4];
  if (size < sizeof(counts) || size > 16384) return 0;
  std::memcpy(counts, data, sizeof(counts));
  const TokenCounts tokens{counts[0], counts[1], counts[2], counts[3]};
  const std::string text(reinterpret_cast<const char*>(data) + sizeof(counts),
                         size - sizeof(counts));
  const auto prices = Prices::parse(text);
  if (!prices) {
    FLEXD_ASSERT(prices.error().message.starts_with("line ") ||
                 prices.error().message.starts_with("there is no line "));
    return 0;
  }
  FLEXD_ASSERT(prices->as_of().size() == 10);
  const auto other = Prices::parse(backwards(text, prices->as_of()));
  FLEXD_ASSERT(other.has_value() && other->model_count() == prices->model_count());
  for (const std::string_view model : first_words(text)) {
    FLEXD_ASSERT(prices->knows(model) == other->knows(model));
    for (const PriceTier tier : kTiers) {
      const auto cost = prices->cost(model, tier, tokens);
      FLEXD_ASSERT(cost == other->cost(model, tier, tokens));
      FLEXD_ASSERT(!cost || (*cost <= account::kCostMax && prices->knows(model)));
    }
  }
  return 0;
}
