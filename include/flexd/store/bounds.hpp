// bounds.hpp: the numbers that may be stored, and the words by which each is asked for: the same
// for flexctl, the admin API and the store itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace flexd::store {

// Bounds is a range, both ends included. `words` says what is expected, at most 64 bytes of it, so
// that it stands whole in an error of the API (errors::kDetailBytesMax).
struct Bounds {
  int64_t least;
  int64_t most;
  std::string_view words;

  constexpr bool hold(int64_t number) const { return number >= least && number <= most; }
};

// Of a key.
inline constexpr Bounds kRequestsPerMinuteBounds{1, 1'000'000, "a whole number from 1 to 1000000"};
inline constexpr Bounds kBudgetRequestsBounds{0, 1'000'000'000'000,
                                              "a whole number from 0 to 1000000000000"};
inline constexpr Bounds kBudgetNanosBounds{
    0, 1'000'000'000'000'000'000, "dollars from 0 to 1000000000 with at most 6 places: 12.50"};
// Of an organization.
inline constexpr Bounds kRequestsPerSecondBounds{0, 1'000'000, "a whole number from 0 to 1000000"};
inline constexpr Bounds kRaceSlotsBounds{1, 1'000'000, "a whole number from 1 to 1000000"};
// Of a model.
inline constexpr Bounds kRetryAfterBounds{1, 86'400, "a whole number from 1 to 86400"};

// Texts of a key: its name, the models on its list, and how many they are.
inline constexpr size_t kKeyNameBytesMax = 64;
inline constexpr size_t kModelBytesMax = 128;
inline constexpr size_t kModelPatternsMax = 100;

// kKeysMax is how many keys an organization may have, revoked ones too, since none is ever deleted:
// whoever holds a management key cannot fill the disk, nor the memory of every gateway.
// kOrganizationPatternsMax bounds the models on the lists of all of them together likewise: one
// that has as many of both as it may is loaded in less than half a second, so that it does not keep
// the changes of others from the gateways.
inline constexpr size_t kKeysMax = 200'000;
inline constexpr size_t kOrganizationPatternsMax = 200'000;

// parse_amount reads US dollars with at most six places ("12.50", "-3") as nano-dollars; nullopt
// for anything else, and beyond int64. Nothing is rounded.
std::optional<int64_t> parse_amount(std::string_view text);
// parse_budget is parse_amount within kBudgetNanosBounds; no sign.
std::optional<int64_t> parse_budget(std::string_view text);

}  // namespace flexd::store
