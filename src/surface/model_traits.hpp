// model_traits.hpp: what a model of Anthropic's takes, told by its name.
//
// Names are claude-3-7-sonnet-20250219, claude-sonnet-4-20250514, claude-opus-4-6: a version of one
// or two numbers before or behind the family, and perhaps a date
// (https://docs.anthropic.com/en/docs/about-claude/models/overview). A name without a version is
// taken for the newest model's.
#pragma once

#include <string_view>

namespace flexd::surface {

struct ClaudeTraits {
  // takes_effort: `output_config.effort` with adaptive thinking, from 4.6. Older models think
  // within a budget of tokens.
  bool takes_effort = true;
  // takes_sampling: `temperature` and `top_p`, up to 4.6.
  bool takes_sampling = false;

  bool operator==(const ClaudeTraits&) const = default;
};

ClaudeTraits claude_traits(std::string_view model);

}  // namespace flexd::surface
