// start_within.hpp: the field by which a caller says how long it will wait for the cheaper tier.
//
// `default`, `priority`, `auto`, or a duration `HHh-MMm-SSs` of exactly two digits each, 5 to 600
// seconds in all. Only the total is bounded: `00h-00m-90s` is a minute and a half.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/result.hpp"

namespace flexd::surface {

inline constexpr uint64_t kStartWithinMinNs = 5'000'000'000;
inline constexpr uint64_t kStartWithinMaxNs = 600'000'000'000;

struct StartWithin {
  enum class Kind : uint8_t {
    standard,   // "default"
    priority,   // "priority"
    automatic,  // "auto"
    duration,   // a race
  };
  Kind kind = Kind::standard;
  uint64_t duration_ns = 0;  // of a duration, else 0

  bool operator==(const StartWithin&) const = default;
};

// StartWithinFault is why a text is not a start_within.
enum class StartWithinFault : uint8_t { form, out_of_range };

// parse_start_within reads the (unescaped) text.
Result<StartWithin, StartWithinFault> parse_start_within(std::string_view text);

// parse_patience reads `x-stainless-timeout`, the seconds after which the client gives up, by
// itself or with a fraction. In nanoseconds; 0 if it is no such number, or none.
uint64_t parse_patience(std::string_view text);

}  // namespace flexd::surface
