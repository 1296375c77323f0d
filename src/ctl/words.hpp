// words.hpp: what flexctl says of the things in the store to people; store/json.hpp is for
// programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flexd/store/types.hpp"

namespace flexd::ctl {

// KeyState is what flexd makes of a key, in the order in which it looks.
enum class KeyState : uint8_t { revoked, expired, deactivated, active };
inline constexpr std::string_view kKeyStateWords[] = {"revoked", "expired", "deactivated",
                                                      "active"};
inline constexpr size_t kKeyStateCount = std::size(kKeyStateWords);
KeyState key_state(const store::Key& key, int64_t now_s);
std::string_view key_state_word(KeyState state);

// MonthUse is what a key used in the month of `now_s`: the counters of an earlier one are over.
struct MonthUse {
  int64_t requests = 0;
  int64_t nanos = 0;
};
MonthUse month_use(const store::Key& key, int64_t now_s);

// balance_nanos is the prepaid credit that is left; nullopt without prepayment. It can be negative:
// what an answer costs is known when it is over.
std::optional<int64_t> balance_nanos(const store::Organization& organization);
// balance_text is that as "$12.500000", or "not prepaid".
std::string balance_text(const store::Organization& organization);
std::string_view billing_word(store::Billing billing);

// limits_text is a key's limits in a few words: "60/min, 1000 requests/month, $5/month".
std::string limits_text(const store::Key& key);
// models_text is the models that a key may call: "gpt-5*, o3", or "all".
std::string models_text(const store::Key& key);
// count_text is "1 key", "2 keys".
std::string count_text(size_t count, std::string_view noun);
// time_or is a time, or `otherwise` where it never happened.
std::string time_or(int64_t unix_s, std::string_view otherwise);

}  // namespace flexd::ctl
