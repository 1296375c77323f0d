#include "flexd/surface/start_within.hpp"

#include <array>
#include <cstddef>

namespace flexd::surface {

namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// two_digits is the number at `at`, or -1.
int two_digits(std::string_view text, size_t at) {
  if (!is_digit(text[at]) || !is_digit(text[at + 1])) return -1;
  return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

}  // namespace

Result<StartWithin, StartWithinFault> parse_start_within(std::string_view text) {
  using Kind = StartWithin::Kind;
  if (text == "default") return StartWithin{.kind = Kind::standard};
  if (text == "priority") return StartWithin{.kind = Kind::priority};
  if (text == "auto") return StartWithin{.kind = Kind::automatic};
  constexpr std::string_view kShape = "00h-00m-00s";
  if (text.size() != kShape.size()) return fail(StartWithinFault::form);
  for (const size_t at : {2U, 3U, 6U, 7U, 10U}) {
    if (text[at] != kShape[at]) return fail(StartWithinFault::form);
  }
  const std::array<int, 3> parts = {two_digits(text, 0), two_digits(text, 4), two_digits(text, 8)};
  if (parts[0] < 0 || parts[1] < 0 || parts[2] < 0) return fail(StartWithinFault::form);
  const int seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
  const uint64_t duration_ns = static_cast<uint64_t>(seconds) * kSecondNs;
  if (duration_ns < kStartWithinMinNs || duration_ns > kStartWithinMaxNs) {
    return fail(StartWithinFault::out_of_range);
  }
  return StartWithin{.kind = Kind::duration, .duration_ns = duration_ns};
}

uint64_t parse_patience(std::string_view text) {
  // A week is beyond any window; more digits could only overflow.
  constexpr uint64_t kSecondsMax = 604'800;
  uint64_t seconds = 0;
  size_t at = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    seconds = seconds * 10 + static_cast<uint64_t>(text[at] - '0');
    if (seconds > kSecondsMax) seconds = kSecondsMax;
  }
  if (at == 0) return 0;
  uint64_t fraction_ns = 0;
  if (at < text.size()) {
    if (text[at] != '.') return 0;
    ++at;
    for (uint64_t unit_ns = kSecondNs / 10; at < text.size(); ++at, unit_ns /= 10) {
      if (!is_digit(text[at])) return 0;
      fraction_ns += unit_ns * static_cast<uint64_t>(text[at] - '0');
    }
  }
  return seconds * kSecondNs + fraction_ns;
}

}  // namespace flexd::surface
