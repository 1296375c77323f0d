// provider.hpp: which tiers each provider has, what it calls them, and which models have flex.
//
// | start_within | OpenAI            | Gemini              | Anthropic     |
// | default      | default           | standard            | standard_only |
// | priority     | priority          | priority            | auto          |
// | auto         | auto              | (no such tier)      | auto          |
// | a duration   | flex, then default| flex, then standard | (no flex)     |
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/result.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/errors/table.hpp"
#include "flexd/surface/start_within.hpp"

namespace flexd::surface {

// Tier is a tier as flexd thinks of it; each provider has its own words.
enum class Tier : uint8_t { flex, standard, priority, automatic };

// tier_word is `service_tier` as `provider` spells it. Empty where the provider has no such tier
// (automatic at Gemini, flex at Anthropic): check_tier lets no request come that far.
std::string_view tier_word(errors::Provider provider, Tier tier);

// answered_tier_word is the tier as an answer of the provider's names it, as far as the request
// tells: where Anthropic is asked for `standard_only` it answers `standard`.
std::string_view answered_tier_word(errors::Provider provider, Tier tier);

// direct_tier is the tier of a request without a race. A duration has none: FLEXD_ASSERT.
Tier direct_tier(const StartWithin& start_within);

// FlexModels is the list of models that may race: exact names, no patterns, so that a dated
// snapshot is not on it unless it is listed. Immutable; shared by all workers.
class FlexModels {
 public:
  // built_in is the list that flexd ships.
  static FlexModels built_in();
  // parse reads a list of the operator's, which replaces the built-in one: one name a line, `#`
  // begins a comment, empty lines are skipped. The Failure names the line.
  static Result<FlexModels> parse(std::string_view text);

  // has does not allocate.
  bool has(std::string_view model) const;
  // names are sorted.
  const std::vector<std::string>& names() const { return names_; }

 private:
  explicit FlexModels(std::vector<std::string> names);

  std::vector<std::string> names_;
};

// check_tier says why `start_within` cannot apply to `model`, or nullopt if it can.
std::optional<errors::Code> check_tier(const StartWithin& start_within, std::string_view model,
                                       const FlexModels& flex_models);

}  // namespace flexd::surface
