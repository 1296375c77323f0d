// moment.hpp: times and spans of time on the command line and in tables. All times are UTC, as Unix
// seconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/base/result.hpp"

namespace flexd::ctl {

// kSpanMaxS bounds a span: a hundred years.
inline constexpr int64_t kSpanMaxS = int64_t{36'500} * 86'400;

// parse_span reads 2s, 90m, 12h or 30d, as seconds, at least 1.
Result<int64_t> parse_span(std::string_view text);

// parse_date reads a day (YYYY-MM-DD: its first second) or a time of RFC 3339 with its offset;
// fractions of a second are cut off. Years 1970 to 9999.
Result<int64_t> parse_date(std::string_view text);

// parse_expiry reads a span from `now_s` on, or a date, which must lie in the future.
Result<int64_t> parse_expiry(std::string_view text, int64_t now_s);

// parse_day reads a date, or a span back from `now_s`, as days since 1970-01-01.
Result<int32_t> parse_day(std::string_view text, int64_t now_s);

// time_text is "2026-11-21 13:00".
std::string time_text(int64_t unix_s);

}  // namespace flexd::ctl
