// auth.hpp: the keys that the simulated providers take, and the scenarios in them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "canned.hpp"
#include "vendor.hpp"

namespace flexd::flexsim {

// Credentials are the header fields that may hold a key; empty: not sent.
struct Credentials {
  std::string authorization;
  std::string api_key;       // x-api-key
  std::string goog_api_key;  // x-goog-api-key
};

// authorization_answer is the answer to a missing or wrong key, or nothing if the key will do.
//
//   OpenAI     Authorization: Bearer sk-...
//   Gemini     x-goog-api-key: AIza... or sk-flexsim...
//   Anthropic  x-api-key: sk-ant-..., or Authorization: Bearer sk-ant-...
//
// Keys that begin with sk-bad, AIza-bad or sk-ant-bad are wrong.
[[nodiscard]] std::optional<CannedAnswer> authorization_answer(Vendor vendor,
                                                               const Credentials& credentials);

// key_scenario is what follows "sk-flexsim-", "AIza-flexsim-" or "sk-ant-flexsim-" in the key.
[[nodiscard]] std::string_view key_scenario(Vendor vendor, const Credentials& credentials);

}  // namespace flexd::flexsim
