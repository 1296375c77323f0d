// usage_tap_cases.hpp: what the tests and the fuzz target of the usage tap share: another way to
// the same answer.
#pragma once

#include <string>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/events.hpp"
#include "flexd/surface/usage_tap.hpp"

namespace flexd::surface {

// TapFound is what is found in an answer.
struct TapFound {
  Usage usage;
  std::string tier;
};

inline bool operator==(const TapFound& a, const TapFound& b) {
  return a.tier == b.tier && a.usage.known == b.usage.known &&
         a.usage.input_tokens == b.usage.input_tokens &&
         a.usage.cached_tokens == b.usage.cached_tokens &&
         a.usage.cache_write_tokens == b.usage.cache_write_tokens &&
         a.usage.output_tokens == b.usage.output_tokens &&
         a.usage.reasoning_tokens == b.usage.reasoning_tokens &&
         a.usage.total_tokens == b.usage.total_tokens;
}

inline bool is_tier_word(std::string_view raw) {
  return !raw.empty() && raw.size() <= 32 && raw.find('\\') == std::string_view::npos;
}

// find_whole walks a whole answer, which is good JSON, member by member.
inline TapFound find_whole(errors::Provider provider, std::string_view answer) {
  TapFound found;
  bool usage_seen = false;
  bool tier_seen = false;
  std::string inner;
  for (const json::Member& member : json::Members(json::Value::value_in(answer))) {
    if (member.name.text == "\"usage\"" && !usage_seen) {
      usage_seen = true;
      if (!member.value.is(json::Type::kObject)) continue;
      if (member.value.text.size() > kTapUsageBytesMax) continue;
      read_usage(provider, member.value, found.usage);
      const std::string_view word = member.value["service_tier"].contents();
      if (provider == errors::Provider::anthropic && is_tier_word(word)) inner = word;
    } else if (member.name.text == "\"service_tier\"" && !tier_seen) {
      tier_seen = true;
      if (is_tier_word(member.value.contents())) found.tier = member.value.contents();
    }
  }
  if (!inner.empty()) found.tier = inner;
  return found;
}

inline TapFound found_by(const UsageTap& tap) {
  return {.usage = tap.usage(), .tier = std::string(tap.service_tier())};
}

}  // namespace flexd::surface
