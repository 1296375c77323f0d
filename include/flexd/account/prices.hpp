// prices.hpp: list prices of models, for usage, budgets and prepaid credit.
//
// A price file is text: a line `as-of YYYY-MM-DD`, then one line a model and tier, fields separated
// by blanks, in micro-dollars per million tokens (2.50 USD per million is 2500000):
//
//   model tier input cached-input cache-write output [over INPUT-TOKENS]
//
// `#` begins a comment; `-` is a price that does not exist: tokens of that kind make the whole
// answer one without a price. The tier is standard, flex or priority. A line with `over N` holds
// for requests with more than N input tokens, in place of the line without it or with a smaller N.
// Lines come in any order. Names are exact: a model or tier that is not listed has no price, and
// none is guessed. Tokens of reasoning are output tokens.
//
// The prices that flexd ships are src/account/prices.txt, with the pages they are from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/result.hpp"

namespace flexd::account {

enum class PriceTier : uint8_t { standard, flex, priority };

// kModelNameBytesMax bounds the name of a model in a price file.
inline constexpr size_t kModelNameBytesMax = 128;
// kPriceMax bounds a price, in micro-dollars per million tokens: a dollar a token. Four times
// 2^64 tokens of it fit into 128 bits.
inline constexpr uint64_t kPriceMax = 1'000'000'000'000;
// kCostMax is the highest cost, in nano-dollars: nine billion dollars, and what a signed word of a
// store takes.
inline constexpr uint64_t kCostMax = INT64_MAX;

// price_tier is the tier behind a provider's word for it, in an answer or a request: default,
// standard, standard_only and on_demand, flex, priority and fast, in either case. nullopt for a
// word that says no tier (auto), or one without a list price here (batch, scale, deferred, …).
std::optional<PriceTier> price_tier(std::string_view provider_word);

// TokenCounts are the tokens of one answer.
struct TokenCounts {
  uint64_t input = 0;  // all, with the next two; less than their sum counts as their sum
  uint64_t cached = 0;
  uint64_t cache_write = 0;
  uint64_t output = 0;
};

class Prices {
 public:
  // parse reads a price file; the failure names the line. Two lines for the same model, tier and
  // `over` are one too many.
  static Result<Prices> parse(std::string_view text);
  // built_in are the prices flexd was shipped with.
  static Prices built_in();

  // knows: the model has a price on some tier.
  bool knows(std::string_view model) const;
  // cost is what these tokens cost in nano-dollars, rounded to the nearest and kCostMax at most;
  // nullopt without a price. It neither allocates nor locks.
  std::optional<uint64_t> cost(std::string_view model, PriceTier tier,
                               const TokenCounts& tokens) const;
  // substitute_cost is what credit and budgets are charged for tokens of a model that has prices,
  // but none for these (its tier, a prompt of this length, a kind of tokens): what its standard
  // line for this length says, or if that has no price, the most that any of its lines says. Where
  // a line has no price of cached or written input, that counts as input. nullopt for a model
  // without a line that has prices. Never what is told as a cost: it is a guess. It neither
  // allocates nor locks.
  std::optional<uint64_t> substitute_cost(std::string_view model, const TokenCounts& tokens) const;
  // as_of is the day of the prices, YYYY-MM-DD.
  std::string_view as_of() const { return as_of_; }
  size_t model_count() const;

 private:
  struct Row {
    std::string model;
    PriceTier tier = PriceTier::standard;
    uint64_t over_tokens = 0;
    size_t line = 0;  // of the file
    // Micro-dollars per million tokens; nullopt where there is none.
    std::optional<uint64_t> input, cached, cache_write, output;
  };
  static Result<Row> read_row(std::string_view line);
  std::vector<Row>::const_iterator first_of(std::string_view model) const;
  const Row* row_for(std::string_view model, PriceTier tier, uint64_t input_tokens) const;
  static std::optional<uint64_t> cost_by(const Row& row, const TokenCounts& tokens,
                                         bool substitutes);

  std::string as_of_;
  std::vector<Row> rows_;  // by model, tier, over_tokens
};

}  // namespace flexd::account
