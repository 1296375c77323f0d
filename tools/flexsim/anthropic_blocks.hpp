// anthropic_blocks.hpp: checks `messages` and `system` of a Messages request.
#pragma once

#include "check.hpp"
#include "request.hpp"

namespace flexd::flexsim {

// ModelTraits is what the name of a model tells about its API.
struct ModelTraits {
  bool takes_sampling = true;  // temperature, top_p, top_k: up to version 4.6
  bool takes_prefill = true;   // a last turn of the assistant's: before 4.6
  bool takes_adaptive = true;  // thinking of type adaptive: from 4.6
  bool takes_budget = true;    // thinking of type enabled: up to 4.6
  bool takes_effort = true;    // output_config.effort: from 4.5
  bool takes_system = true;    // system messages amid a conversation: from 4.8
};

// traits_of reads the version out of a name such as claude-opus-4-7 or claude-3-7-sonnet-20250219.
[[nodiscard]] ModelTraits traits_of(std::string_view model);

// check_anthropic_messages tells facts.history what the conversation says; facts.wants_thoughts is
// known.
bool check_anthropic_messages(Checker& check, json::Value request, const ModelTraits& traits,
                              RequestFacts& facts);

// check_anthropic_system checks `system`: a text or text blocks.
bool check_anthropic_system(Checker& check, json::Value system, RequestFacts& facts);

}  // namespace flexd::flexsim
