#include "flexd/surface/provider.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "flexd/base/assert.hpp"

namespace flexd::surface {

namespace {

using errors::Provider;

constexpr std::array<std::string_view, 21> kBuiltIn = {"gpt-5.5",
                                                       "gpt-5.5-pro",
                                                       "gpt-5.4",
                                                       "gpt-5.4-mini",
                                                       "gpt-5.4-nano",
                                                       "gpt-5.4-pro",
                                                       "gpt-5.2",
                                                       "gpt-5.2-pro",
                                                       "gpt-5",
                                                       "gpt-5-mini",
                                                       "gpt-5-nano",
                                                       "gpt-5.1",
                                                       "o3",
                                                       "o4-mini",
                                                       "gemini-3.5-flash",
                                                       "gemini-3.1-pro-preview",
                                                       "gemini-3.1-flash-lite",
                                                       "gemini-3-flash-preview",
                                                       "gemini-2.5-pro",
                                                       "gemini-2.5-flash",
                                                       "gemini-2.5-flash-lite"};

constexpr size_t kNameBytesMax = 128;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool is_name(std::string_view name) {
  return name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

std::string_view tier_word(Provider provider, Tier tier) {
  constexpr std::string_view kWords[errors::kProviderCount][4] = {
      {"flex", "default", "priority", "auto"},
      {"flex", "standard", "priority", ""},
      {"", "standard_only", "auto", "auto"},
  };
  return kWords[static_cast<size_t>(provider)][static_cast<size_t>(tier)];
}

std::string_view answered_tier_word(errors::Provider provider, Tier tier) {
  if (provider == errors::Provider::anthropic && tier == Tier::standard) return "standard";
  return tier_word(provider, tier);
}

Tier direct_tier(const StartWithin& start_within) {
  FLEXD_ASSERT(start_within.kind != StartWithin::Kind::duration);
  switch (start_within.kind) {
    case StartWithin::Kind::priority:
      return Tier::priority;
    case StartWithin::Kind::automatic:
      return Tier::automatic;
    default:
      return Tier::standard;
  }
}

FlexModels::FlexModels(std::vector<std::string> names) : names_(std::move(names)) {
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

FlexModels FlexModels::built_in() {
  return FlexModels({kBuiltIn.begin(), kBuiltIn.end()});
}

Result<FlexModels> FlexModels::parse(std::string_view text) {
  std::vector<std::string> names;
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const size_t eol = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, eol);
    text.remove_prefix(std::min(eol + 1, text.size()));
    const std::string_view name = trim(line.substr(0, line.find('#')));
    if (name.empty()) continue;
    const std::string where = "line " + std::to_string(line_number);
    if (!is_name(name)) {
      return fail_with(where + " is not the name of a model: one name a line, without spaces, at " +
                       "most " + std::to_string(kNameBytesMax) + " visible ASCII characters");
    }
    if (errors::provider_of(name) == Provider::anthropic) {
      return fail_with(where + ": " + std::string(name) +
                       " cannot be on the list, because Anthropic has no flex tier");
    }
    names.emplace_back(name);
  }
  return FlexModels(std::move(names));
}

bool FlexModels::has(std::string_view model) const {
  return std::binary_search(names_.begin(), names_.end(), model, std::less<>());
}

std::optional<errors::Code> check_tier(const StartWithin& start_within, std::string_view model,
                                       const FlexModels& flex_models) {
  const Provider provider = errors::provider_of(model);
  if (start_within.kind == StartWithin::Kind::automatic && provider == Provider::gemini) {
    return errors::Code::auto_unsupported_for_gemini;
  }
  if (start_within.kind != StartWithin::Kind::duration) return std::nullopt;
  if (provider == Provider::anthropic) return errors::Code::flex_unsupported_for_anthropic;
  if (!flex_models.has(model)) return errors::Code::model_not_flex_capable;
  return std::nullopt;
}

}  // namespace flexd::surface
